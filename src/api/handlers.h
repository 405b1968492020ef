/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers, one file each: REQUEST's body is the decoded struct of its API.
 * Each replies exactly once, at once or from a delayed operation.
 */
#ifndef TAKHIN_API_HANDLERS_H
#define TAKHIN_API_HANDLERS_H

#include "api/request.h"

void handle_produce(request_t *request);
void handle_fetch(request_t *request);
void handle_list_offsets(request_t *request);
void handle_metadata(request_t *request);
void handle_api_versions(request_t *request);
void handle_create_topics(request_t *request);
void handle_delete_topics(request_t *request);
void handle_init_producer_id(request_t *request);
void handle_offset_for_leader_epoch(request_t *request);
void handle_describe_configs(request_t *request);
void handle_create_partitions(request_t *request);
void handle_describe_cluster(request_t *request);
void handle_add_partitions_to_txn(request_t *request);
void handle_add_offsets_to_txn(request_t *request);
void handle_end_txn(request_t *request);
void handle_write_txn_markers(request_t *request);
void handle_txn_offset_commit(request_t *request);
void handle_describe_producers(request_t *request);
void handle_describe_transactions(request_t *request);
void handle_list_transactions(request_t *request);
void handle_offset_commit(request_t *request);
void handle_offset_fetch(request_t *request);
void handle_find_coordinator(request_t *request);
void handle_join_group(request_t *request);
void handle_heartbeat(request_t *request);
void handle_leave_group(request_t *request);
void handle_sync_group(request_t *request);
void handle_describe_groups(request_t *request);
void handle_list_groups(request_t *request);
void handle_delete_groups(request_t *request);
void handle_offset_delete(request_t *request);
void handle_consumer_group_heartbeat(request_t *request);
void handle_consumer_group_describe(request_t *request);
void handle_delete_records(request_t *request);
void handle_describe_log_dirs(request_t *request);
void handle_alter_replica_log_dirs(request_t *request);
void handle_elect_leaders(request_t *request);
void handle_alter_partition_reassignments(request_t *request);
void handle_list_partition_reassignments(request_t *request);
void handle_describe_quorum(request_t *request);
void handle_update_features(request_t *request);
void handle_describe_topic_partitions(request_t *request);
void handle_unregister_broker(request_t *request);
void handle_describe_user_scram_credentials(request_t *request);
void handle_alter_user_scram_credentials(request_t *request);
void handle_describe_acls(request_t *request);
void handle_create_acls(request_t *request);
void handle_delete_acls(request_t *request);
void handle_list_config_resources(request_t *request);
void handle_alter_configs(request_t *request);
void handle_incremental_alter_configs(request_t *request);
void handle_describe_client_quotas(request_t *request);
void handle_alter_client_quotas(request_t *request);

#endif
