/* SPDX-License-Identifier: Apache-2.0 */
/* Until the consumer protocol (KIP-848) is there: no group is of it. */
#include "coordinator/consumer_state.h"
struct consumer_t { int unused; };
void consumer_free(group_t *group) { (void)group; }
int consumer_is_empty(const group_t *group) { (void)group; return 1; }
const char *consumer_state_name(const group_t *group) { (void)group; return "Empty"; }
int consumer_subscribes(const group_t *group, wire_string_t topic) { (void)group; (void)topic; return 0; }
void consumer_put_tombstones(group_t *group) { (void)group; }
void consumer_abandon(group_t *group, int16_t error) { (void)group; (void)error; }
void consumer_replayed(group_t *group) { (void)group; }
void consumer_replay(group_shard_t *shard, int16_t key_type, const void *key, const void *value) { (void)shard; (void)key_type; (void)key; (void)value; }
int16_t consumer_commit_error(const group_t *group, wire_string_t member_id, wire_string_t instance_id, int32_t epoch, int transactional, int16_t version)
{ (void)group; (void)member_id; (void)instance_id; (void)epoch; (void)transactional; (void)version; return 0; }
int16_t consumer_fetch_error(const group_t *group, wire_string_t member_id, int32_t epoch) { (void)group; (void)member_id; (void)epoch; return 0; }
void consumer_join_classic(group_t *group, group_call_t *call) { (void)group; (void)call; }
void consumer_sync_classic(group_t *group, group_call_t *call) { (void)group; (void)call; }
int16_t consumer_heartbeat_classic(group_t *group, const heartbeat_request_t *request) { (void)group; (void)request; return 0; }
void consumer_leave_classic(group_t *group, group_call_t *call, leave_group_response_t *response) { (void)group; (void)call; (void)response; }
void consumer_become_classic(group_t *group) { (void)group; }
void group_coordinator_metadata_changed(group_coordinator_t *coordinator) { atomic_add32(&coordinator->metadata_version, 1); }
