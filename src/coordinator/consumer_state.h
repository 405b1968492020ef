/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of the consumer protocol (KIP-848), as the rest of the coordinator
 * meets them. All under the shard's lock.
 */
#ifndef TAKHIN_COORDINATOR_CONSUMER_STATE_H
#define TAKHIN_COORDINATOR_CONSUMER_STATE_H

#include "coordinator/group_state.h"
#include "protocol/leave_group_response.h"

void consumer_free(group_t *group);
int consumer_is_empty(const group_t *group);
const char *consumer_state_name(const group_t *group);
int consumer_subscribes(const group_t *group, wire_string_t topic);
void consumer_put_tombstones(group_t *group);
void consumer_abandon(group_t *group, int16_t error);
void consumer_replayed(group_t *group);
void consumer_replay(group_shard_t *shard, int16_t key_type, const void *key,
                     const void *value);

/* Whether that member may commit, or fetch, at that epoch. */
int16_t consumer_commit_error(const group_t *group, wire_string_t member_id,
                              wire_string_t instance_id, int32_t epoch,
                              int transactional, int16_t version);
/* Whether what that member committed at an older epoch still counts for a
 * partition: it has had it ever since (KIP-1251). */
int consumer_may_commit_late(const group_t *group, wire_string_t member_id,
                             int32_t epoch, const wire_uuid_t *topic,
                             int32_t partition);
int16_t consumer_fetch_error(const group_t *group, wire_string_t member_id,
                             int32_t epoch);

/* Members of a consumer group that speak the classic protocol, during an
 * upgrade or downgrade. */
void consumer_join_classic(group_t *group, group_call_t *call);
void consumer_sync_classic(group_t *group, group_call_t *call);
int16_t consumer_heartbeat_classic(group_t *group,
                                   const heartbeat_request_t *request);
void consumer_leave_classic(group_t *group, group_call_t *call,
                            leave_group_response_t *response);

/* An empty consumer group becomes an empty classic one. */
void consumer_become_classic(group_t *group);

#endif
