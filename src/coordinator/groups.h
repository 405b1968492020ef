/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group coordinator: consumer groups of the classic protocol (JoinGroup
 * and SyncGroup, any protocol type) and of the consumer protocol (KIP-848),
 * and the offsets they commit. Its state is spread over shards, one for each
 * partition of __consumer_offsets, each with a lock of its own; what must
 * outlive the broker is a record in that partition, in Kafka's format, and
 * nothing is answered before its record is written (and flushed, where
 * acks=all is).
 *
 * It never talks to a client: an operation answers through its call, at once
 * or, when it has to wait for other members or for the device, from a worker.
 * A waiting operation holds no thread.
 */
#ifndef TAKHIN_COORDINATOR_GROUPS_H
#define TAKHIN_COORDINATOR_GROUPS_H

#include <apr_pools.h>
#include <apr_time.h>
#include <stdint.h>

#include "base/timer.h"
#include "coordinator/journal.h"
#include "coordinator/task.h"
#include "metadata/image.h"
#include "protocol/consumer_group_describe_response.h"
#include "protocol/consumer_group_heartbeat_request.h"
#include "protocol/describe_groups_response.h"
#include "protocol/heartbeat_request.h"
#include "protocol/join_group_request.h"
#include "protocol/leave_group_request.h"
#include "protocol/list_groups_request.h"
#include "protocol/list_groups_response.h"
#include "protocol/offset_commit_request.h"
#include "protocol/offset_delete_request.h"
#include "protocol/offset_fetch_request.h"
#include "protocol/offset_fetch_response.h"
#include "protocol/sync_group_request.h"
#include "protocol/txn_offset_commit_request.h"

typedef struct group_coordinator_t group_coordinator_t;

#define GROUP_TOPIC "__consumer_offsets"

enum { GROUP_MAX_ASSIGNORS = 2 };

/* Whether a group may change its protocol while it has members. */
typedef enum {
    GROUP_MIGRATION_DISABLED = 0,
    GROUP_MIGRATION_UPGRADE = 1,
    GROUP_MIGRATION_DOWNGRADE = 2,
    GROUP_MIGRATION_BOTH = 3
} group_migration_t;

/* Kafka's properties of the same names. Times in milliseconds. */
typedef struct {
    int32_t min_session_timeout_ms;
    int32_t max_session_timeout_ms;
    int32_t initial_rebalance_delay_ms;
    int32_t max_size;
    int64_t offsets_retention_ms;
    int64_t offsets_retention_check_ms;
    int32_t offset_metadata_max_bytes;
    int32_t consumer_session_timeout_ms;
    int32_t consumer_heartbeat_interval_ms;
    int32_t consumer_max_size;
    int64_t consumer_regex_refresh_ms;
    const char *consumer_assignors[GROUP_MAX_ASSIGNORS]; /* the first is the
                                            default; NULL: no more */
    group_migration_t migration;
    unsigned flush : 1;      /* answer when a record is on the device */
} group_config_t;

/* Kafka's defaults. */
void group_config_init(group_config_t *config);

/* ---- life ---------------------------------------------------------------- */

/* The current image, retained for the caller. Any thread, often. */
typedef struct {
    const metadata_image_t *(*image)(void *baton);
    void *baton;
} group_metadata_t;

/*
 * Creates the coordinator for a topic of SHARDS partitions (as it is, or as it
 * will be created). JOURNAL, WORKERS and METADATA are copied. TIMER may be
 * NULL (tests: the deadlines then pass in group_coordinator_tick). POOL lives
 * as long as the coordinator.
 */
apr_status_t group_coordinator_create(group_coordinator_t **coordinator,
                                      const group_config_t *config,
                                      int32_t shards,
                                      const journal_driver_t *journal,
                                      const coordinator_workers_t *workers,
                                      base_timer_t *timer,
                                      const group_metadata_t *metadata,
                                      apr_pool_t *pool);

/* Has workers replay every shard whose partition is there. What is asked
 * earlier loads its own shard first. */
void group_coordinator_start(group_coordinator_t *coordinator);

/* Answers all who wait with NOT_COORDINATOR and all who come later with
 * COORDINATOR_NOT_AVAILABLE. Workers and timer must still run. */
void group_coordinator_stop(group_coordinator_t *coordinator);

/* Frees all state. Nobody calls any more, and no worker or timer runs. */
void group_coordinator_destroy(group_coordinator_t *coordinator);

/* Lets the deadlines of all shards pass, in this thread. */
void group_coordinator_tick(group_coordinator_t *coordinator);

/* Which shard, that is which partition of __consumer_offsets, GROUP is in. */
int32_t group_shard_index(const group_coordinator_t *coordinator,
                          wire_string_t group);

/* A topic was deleted: its offsets are forgotten. Takes a short lock of its
 * own only, so it may be called under the metadata's. */
void group_coordinator_topic_deleted(group_coordinator_t *coordinator,
                                     const char *name);

/* ---- calls --------------------------------------------------------------- */

/*
 * One operation of a client. The caller fills the first part, keeps it and
 * the request's body alive until DONE, and does not touch POOL meanwhile.
 * RESPONSE is the API's generated response struct, in POOL. DONE runs once,
 * without a lock, in the caller's thread before the operation returns, or in
 * a worker's.
 */
typedef struct group_call_t group_call_t;
struct group_call_t {
    void (*done)(group_call_t *self, const void *response);
    void *baton;
    apr_pool_t *pool;
    wire_string_t client_id;
    wire_string_t client_host;   /* "/127.0.0.1", as Kafka stores it */
    int16_t version;             /* of the request */

    /* What follows is the coordinator's. */
    const void *body;
    const void *(*refusal)(group_call_t *self, int16_t error);
    const void *response;
    group_call_t *next;
    int64_t after;               /* answered when this offset is flushed */
};

/* Classic protocol: KIP-62, KIP-345 (static members), KIP-394 (member ids). */
void group_join(group_coordinator_t *coordinator, group_call_t *call,
                const join_group_request_t *request);
void group_sync(group_coordinator_t *coordinator, group_call_t *call,
                const sync_group_request_t *request);
void group_heartbeat(group_coordinator_t *coordinator, group_call_t *call,
                     const heartbeat_request_t *request);
/* From every version, MEMBERS is what counts. */
void group_leave(group_coordinator_t *coordinator, group_call_t *call,
                 const leave_group_request_t *request);

/* Consumer protocol (KIP-848). */
void consumer_group_heartbeat(
    group_coordinator_t *coordinator, group_call_t *call,
    const consumer_group_heartbeat_request_t *request);
void consumer_group_describe(
    group_coordinator_t *coordinator, wire_string_t group,
    consumer_group_describe_response_described_group_t *described,
    apr_pool_t *pool);

/*
 * Offsets. Names of topics are set, also where the client sent ids, and their
 * partitions exist: api has seen to that.
 */
void offsets_commit(group_coordinator_t *coordinator, group_call_t *call,
                    const offset_commit_request_t *request);
/* Offsets that count once the producer's transaction is committed. That the
 * transaction goes on is for the caller to verify. */
void offsets_commit_in_transaction(group_coordinator_t *coordinator,
                                   group_call_t *call,
                                   const txn_offset_commit_request_t *request);
/* The end of PRODUCER's transaction, after its marker was appended to
 * partition INDEX of __consumer_offsets. */
void offsets_end_transaction(group_coordinator_t *coordinator, int32_t index,
                             int64_t producer_id, int commit);
void offsets_delete(group_coordinator_t *coordinator, group_call_t *call,
                    const offset_delete_request_t *request);
/* At once. REQUEST's topics of count -1 ask for all. STABLE: what a
 * transaction is about to change is refused (KIP-447). */
void offsets_fetch(
    group_coordinator_t *coordinator,
    const offset_fetch_request_offset_fetch_request_group_t *request,
    int stable, offset_fetch_response_offset_fetch_response_group_t *response,
    apr_pool_t *pool);

/* Administration. The response of a deletion is an int16_t, its error. */
void group_delete(group_coordinator_t *coordinator, group_call_t *call,
                  wire_string_t group);
void group_list(group_coordinator_t *coordinator,
                const list_groups_request_t *request,
                list_groups_response_t *response, apr_pool_t *pool);
void group_describe(group_coordinator_t *coordinator, wire_string_t group,
                    int16_t version,
                    describe_groups_response_described_group_t *described,
                    apr_pool_t *pool);

#endif
