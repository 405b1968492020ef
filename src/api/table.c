/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table. A row is added when its handler serves every version it names, and
 * never before. Ranges are those of Kafka 4.3 (facts in doc/compatibility.md).
 */
#include "api/table.h"

#include "api/handlers.h"

#define ROW(key, min, max, name, handler) \
    { key, min, max, min, name, handler }

static const api_row_t rows[] = {
    { 0, 3, 13, 0, "Produce", handle_produce },
    ROW(1, 4, 18, "Fetch", handle_fetch),
    ROW(2, 1, 11, "ListOffsets", handle_list_offsets),
    ROW(3, 0, 13, "Metadata", handle_metadata),
    ROW(8, 2, 10, "OffsetCommit", handle_offset_commit),
    ROW(9, 1, 10, "OffsetFetch", handle_offset_fetch),
    ROW(10, 0, 6, "FindCoordinator", handle_find_coordinator),
    ROW(11, 0, 9, "JoinGroup", handle_join_group),
    ROW(12, 0, 4, "Heartbeat", handle_heartbeat),
    ROW(13, 0, 5, "LeaveGroup", handle_leave_group),
    ROW(14, 0, 5, "SyncGroup", handle_sync_group),
    ROW(15, 0, 6, "DescribeGroups", handle_describe_groups),
    ROW(16, 0, 5, "ListGroups", handle_list_groups),
    ROW(18, 0, 4, "ApiVersions", handle_api_versions),
    ROW(19, 2, 7, "CreateTopics", handle_create_topics),
    ROW(20, 1, 6, "DeleteTopics", handle_delete_topics),
    ROW(21, 0, 2, "DeleteRecords", handle_delete_records),
    ROW(22, 0, 5, "InitProducerId", handle_init_producer_id),
    ROW(23, 2, 4, "OffsetForLeaderEpoch", handle_offset_for_leader_epoch),
    ROW(24, 0, 5, "AddPartitionsToTxn", handle_add_partitions_to_txn),
    ROW(25, 0, 4, "AddOffsetsToTxn", handle_add_offsets_to_txn),
    ROW(26, 0, 5, "EndTxn", handle_end_txn),
    ROW(27, 1, 2, "WriteTxnMarkers", handle_write_txn_markers),
    ROW(28, 0, 5, "TxnOffsetCommit", handle_txn_offset_commit),
    ROW(29, 1, 3, "DescribeAcls", handle_describe_acls),
    ROW(30, 1, 3, "CreateAcls", handle_create_acls),
    ROW(31, 1, 3, "DeleteAcls", handle_delete_acls),
    ROW(32, 1, 4, "DescribeConfigs", handle_describe_configs),
    ROW(33, 0, 2, "AlterConfigs", handle_alter_configs),
    ROW(35, 1, 5, "DescribeLogDirs", handle_describe_log_dirs),
    ROW(37, 0, 3, "CreatePartitions", handle_create_partitions),
    ROW(42, 0, 2, "DeleteGroups", handle_delete_groups),
    ROW(43, 0, 2, "ElectLeaders", handle_elect_leaders),
    ROW(44, 0, 1, "IncrementalAlterConfigs", handle_incremental_alter_configs),
    ROW(45, 0, 1, "AlterPartitionReassignments",
        handle_alter_partition_reassignments),
    ROW(46, 0, 0, "ListPartitionReassignments",
        handle_list_partition_reassignments),
    ROW(47, 0, 0, "OffsetDelete", handle_offset_delete),
    ROW(48, 0, 1, "DescribeClientQuotas", handle_describe_client_quotas),
    ROW(49, 0, 1, "AlterClientQuotas", handle_alter_client_quotas),
    ROW(50, 0, 0, "DescribeUserScramCredentials",
        handle_describe_user_scram_credentials),
    ROW(51, 0, 0, "AlterUserScramCredentials",
        handle_alter_user_scram_credentials),
    ROW(55, 0, 2, "DescribeQuorum", handle_describe_quorum),
    ROW(57, 0, 2, "UpdateFeatures", handle_update_features),
    ROW(60, 0, 2, "DescribeCluster", handle_describe_cluster),
    ROW(61, 0, 0, "DescribeProducers", handle_describe_producers),
    ROW(64, 0, 0, "UnregisterBroker", handle_unregister_broker),
    ROW(65, 0, 0, "DescribeTransactions", handle_describe_transactions),
    ROW(66, 0, 2, "ListTransactions", handle_list_transactions),
    ROW(68, 0, 1, "ConsumerGroupHeartbeat", handle_consumer_group_heartbeat),
    ROW(69, 0, 1, "ConsumerGroupDescribe", handle_consumer_group_describe),
    ROW(74, 0, 1, "ListConfigResources", handle_list_config_resources),
    ROW(75, 0, 0, "DescribeTopicPartitions", handle_describe_topic_partitions),
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const api_row_t *api_row(int16_t key)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (rows[i].key == key)
            return &rows[i];
    return NULL;
}

const api_row_t *api_rows(int *count)
{
    *count = ROW_COUNT;
    return rows;
}
