/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard of the group coordinator, for the files that make it up. An
 * operation enters its group's shard, changes state, puts the records that
 * say so, gives answers, and leaves. Leaving writes the records as one batch
 * and sends the answers, without the lock; where answers wait for the device
 * they are queued, and one flush releases many.
 *
 * A shard whose records cannot be written has lost touch with its journal: it
 * refuses all answers of the operation, drops its state, and is replayed for
 * the next one who asks.
 */
#ifndef TAKHIN_COORDINATOR_GROUP_SHARD_H
#define TAKHIN_COORDINATOR_GROUP_SHARD_H

#include <apr_thread_mutex.h>

#include "base/atomic.h"
#include "coordinator/deadlines.h"
#include "coordinator/groups.h"
#include "coordinator/map.h"
#include "protocol/error_code.h"
#include "record/builder.h"

typedef struct group_shard_t group_shard_t;
typedef struct group_t group_t;

typedef enum {
    SHARD_UNLOADED,
    SHARD_LOADING,   /* one thread replays, without the lock */
    SHARD_ACTIVE,
    SHARD_STOPPED
} shard_state_t;

typedef struct {
    group_call_t *first, **end;
} call_queue_t;

struct group_shard_t {
    coordinator_task_t task;          /* first: wakes the shard */
    group_coordinator_t *coordinator;
    int32_t index;
    apr_thread_mutex_t *mutex;
    shard_state_t state;
    void *journal;                    /* NULL while it is not open */
    map_t groups;                     /* group id -> group_t */
    map_t transactions;               /* producer id -> open offsets */
    deadlines_t deadlines;
    deadline_t expiry;                /* the next look for expired offsets */
    record_builder_t records;         /* of the operation at hand */
    apr_pool_t *scratch;              /* while one record is encoded */
    int64_t record_time;              /* ms: its records' timestamp */
    int64_t order;                    /* counts offsets as they are written */
    unsigned has_records : 1;
    call_queue_t ready;               /* answers of the operation at hand */
    call_queue_t waiting;             /* for a flush, by offset */
    base_timer_entry_t alarm;
    apr_time_t alarm_at;              /* -1: not set */
    atomic_u32_t queued;              /* the task is on its way */
};

struct group_coordinator_t {
    group_config_t config;
    journal_driver_t journal;
    coordinator_workers_t workers;
    base_timer_t *timer;
    group_metadata_t metadata;
    group_shard_t *shards;
    int32_t shard_count;
    apr_thread_mutex_t *deleted_mutex;
    struct deleted_topic_t *deleted;  /* topics whose offsets must go */
};

/* Enters the shard of GROUP. On success the lock is held until shard_leave;
 * otherwise a Kafka error code is returned and nothing is held. */
int16_t shard_enter(group_coordinator_t *coordinator, wire_string_t group,
                    group_shard_t **shard);
int16_t shard_enter_index(group_coordinator_t *coordinator, int32_t index,
                          group_shard_t **shard);
void shard_leave(group_shard_t *shard);

/* Prepares CALL: its request, and how it is refused. */
void call_begin(group_call_t *call, const void *body,
                const void *(*refusal)(group_call_t *self, int16_t error));

/* Refuses CALL without a shard. */
void call_refuse(group_call_t *call, int16_t error);

/* Answers CALL when the shard is left. */
void shard_answer(group_shard_t *shard, group_call_t *call,
                  const void *response);
void shard_refuse(group_shard_t *shard, group_call_t *call, int16_t error);

/*
 * Puts a record: the coordinator record KEY_TYPE with KEY (a generated
 * struct), and VALUE at VERSION, or a tombstone where VALUE is NULL.
 */
void shard_put(group_shard_t *shard, int16_t key_type, const void *key,
               const void *value, int16_t version);

/* The same in PRODUCER's transaction; an operation has no other records. */
typedef struct {
    int64_t producer_id;
    int16_t producer_epoch;
} shard_producer_t;
void shard_put_in_transaction(group_shard_t *shard,
                              const shard_producer_t *producer,
                              int16_t key_type, const void *key,
                              const void *value, int16_t version);

/* DEADLINE passes DELAY_MS from now, in an operation of its own. */
void shard_set_deadline(group_shard_t *shard, deadline_t *deadline,
                        int64_t delay_ms);
void shard_clear_deadline(group_shard_t *shard, deadline_t *deadline);

static inline const group_config_t *shard_config(const group_shard_t *shard)
{
    return &shard->coordinator->config;
}

/* The metadata as it is now: image_release it. */
static inline const metadata_image_t *shard_image(const group_shard_t *shard)
{
    const group_metadata_t *metadata = &shard->coordinator->metadata;

    return metadata->image(metadata->baton);
}

/* One batch of the journal is made state: group_replay.c. */
apr_status_t shard_replay_batch(void *baton, const record_batch_t *batch,
                                const uint8_t *data);

#endif
