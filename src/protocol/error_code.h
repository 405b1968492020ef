/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka's error codes, as they stand in responses. Codes, names and whether a
 * client may try again are Kafka's; the texts are ours.
 */
#ifndef TAKHIN_PROTOCOL_ERROR_CODE_H
#define TAKHIN_PROTOCOL_ERROR_CODE_H

#include <stdbool.h>
#include <stdint.h>

/* Code, name, whether it is retriable, what it says by default. */
#define KAFKA_ERRORS(X)                                                        \
    X(-1, UNKNOWN_SERVER_ERROR, 0, "unexpected error in the broker")           \
    X(0, NONE, 0, "no error")                                                  \
    X(1, OFFSET_OUT_OF_RANGE, 0, "the offset is outside the log")              \
    X(2, CORRUPT_MESSAGE, 1, "the record batch is corrupt")                    \
    X(3, UNKNOWN_TOPIC_OR_PARTITION, 1, "no such topic or partition here")     \
    X(4, INVALID_FETCH_SIZE, 0, "the fetch size is not valid")                 \
    X(5, LEADER_NOT_AVAILABLE, 1, "the partition has no leader at the moment") \
    X(6, NOT_LEADER_OR_FOLLOWER, 1,                                            \
      "this broker does not hold that role for the partition")                 \
    X(7, REQUEST_TIMED_OUT, 1, "the request timed out")                        \
    X(8, BROKER_NOT_AVAILABLE, 0, "the broker is not available")               \
    X(9, REPLICA_NOT_AVAILABLE, 1, "the replica is not available")             \
    X(10, MESSAGE_TOO_LARGE, 0, "a record batch is above max.message.bytes")   \
    X(11, STALE_CONTROLLER_EPOCH, 0, "the controller's epoch is stale")        \
    X(12, OFFSET_METADATA_TOO_LARGE, 0,                                        \
      "the metadata of a committed offset is too long")                        \
    X(13, NETWORK_EXCEPTION, 1,                                                \
      "the connection was lost before an answer came")                         \
    X(14, COORDINATOR_LOAD_IN_PROGRESS, 1, "the coordinator is still loading") \
    X(15, COORDINATOR_NOT_AVAILABLE, 1,                                        \
      "there is no coordinator at the moment")                                 \
    X(16, NOT_COORDINATOR, 1, "this broker is not the coordinator")            \
    X(17, INVALID_TOPIC_EXCEPTION, 0,                                          \
      "the topic's name is not valid, or it may not be used so")               \
    X(18, RECORD_LIST_TOO_LARGE, 0, "a record batch is above segment.bytes")   \
    X(19, NOT_ENOUGH_REPLICAS, 1, "fewer replicas are in sync than required")  \
    X(20, NOT_ENOUGH_REPLICAS_AFTER_APPEND, 1,                                 \
      "written, but to fewer in-sync replicas than required")                  \
    X(21, INVALID_REQUIRED_ACKS, 0, "acks must be -1, 0 or 1")                 \
    X(22, ILLEGAL_GENERATION, 0, "not the group's generation")                 \
    X(23, INCONSISTENT_GROUP_PROTOCOL, 0,                                      \
      "the member's protocols do not fit the group's")                         \
    X(24, INVALID_GROUP_ID, 0, "the group id is not valid")                    \
    X(25, UNKNOWN_MEMBER_ID, 0, "no such member in the group")                 \
    X(26, INVALID_SESSION_TIMEOUT, 0,                                          \
      "the session timeout is outside the broker's bounds")                    \
    X(27, REBALANCE_IN_PROGRESS, 0, "the group is rebalancing: join again")    \
    X(28, INVALID_COMMIT_OFFSET_SIZE, 0,                                       \
      "the offsets to commit are too large")                                   \
    X(29, TOPIC_AUTHORIZATION_FAILED, 0, "not authorized for the topic")       \
    X(30, GROUP_AUTHORIZATION_FAILED, 0, "not authorized for the group")       \
    X(31, CLUSTER_AUTHORIZATION_FAILED, 0, "not authorized for the cluster")   \
    X(32, INVALID_TIMESTAMP, 0, "a record's timestamp is out of bounds")       \
    X(33, UNSUPPORTED_SASL_MECHANISM, 0, "the SASL mechanism is not enabled")  \
    X(34, ILLEGAL_SASL_STATE, 0,                                               \
      "the request does not fit the state of authentication")                  \
    X(35, UNSUPPORTED_VERSION, 0, "the version is not supported")              \
    X(36, TOPIC_ALREADY_EXISTS, 0, "the topic exists already")                 \
    X(37, INVALID_PARTITIONS, 0, "the number of partitions is not valid")      \
    X(38, INVALID_REPLICATION_FACTOR, 0,                                       \
      "the replication factor is below 1 or above the number of brokers")      \
    X(39, INVALID_REPLICA_ASSIGNMENT, 0,                                       \
      "the replica assignment is not valid")                                   \
    X(40, INVALID_CONFIG, 0, "the configuration is not valid")                 \
    X(41, NOT_CONTROLLER, 1, "this is not the active controller")              \
    X(42, INVALID_REQUEST, 0, "the request is not valid")                      \
    X(43, UNSUPPORTED_FOR_MESSAGE_FORMAT, 0,                                   \
      "the record format does not support this")                               \
    X(44, POLICY_VIOLATION, 0, "the request violates a policy")                \
    X(45, OUT_OF_ORDER_SEQUENCE_NUMBER, 0,                                     \
      "the sequence number is out of order")                                   \
    X(46, DUPLICATE_SEQUENCE_NUMBER, 0, "the sequence number was seen before") \
    X(47, INVALID_PRODUCER_EPOCH, 0, "the producer's epoch is old")            \
    X(48, INVALID_TXN_STATE, 0, "the transaction's state does not allow this") \
    X(49, INVALID_PRODUCER_ID_MAPPING, 0,                                      \
      "the producer id is not that of the transactional id")                   \
    X(50, INVALID_TRANSACTION_TIMEOUT, 0,                                      \
      "the transaction timeout is above transaction.max.timeout.ms")           \
    X(51, CONCURRENT_TRANSACTIONS, 1,                                          \
      "another operation on the transaction is under way")                     \
    X(52, TRANSACTION_COORDINATOR_FENCED, 0,                                   \
      "the transaction coordinator is fenced")                                 \
    X(53, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 0,                            \
      "not authorized for the transactional id")                               \
    X(54, SECURITY_DISABLED, 0, "security is disabled")                        \
    X(55, OPERATION_NOT_ATTEMPTED, 0,                                          \
      "not attempted, because another part failed")                            \
    X(56, KAFKA_STORAGE_ERROR, 1, "the disk failed")                           \
    X(57, LOG_DIR_NOT_FOUND, 0, "no such log directory")                       \
    X(58, SASL_AUTHENTICATION_FAILED, 0, "authentication failed")              \
    X(59, UNKNOWN_PRODUCER_ID, 0, "nothing is known of the producer id")       \
    X(60, REASSIGNMENT_IN_PROGRESS, 0, "a reassignment is under way")          \
    X(61, DELEGATION_TOKEN_AUTH_DISABLED, 0, "delegation tokens are disabled") \
    X(62, DELEGATION_TOKEN_NOT_FOUND, 0, "no such delegation token")           \
    X(63, DELEGATION_TOKEN_OWNER_MISMATCH, 0,                                  \
      "the delegation token belongs to someone else")                          \
    X(64, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, 0,                             \
      "delegation tokens may not be asked for on this connection")             \
    X(65, DELEGATION_TOKEN_AUTHORIZATION_FAILED, 0,                            \
      "not authorized for the delegation token")                               \
    X(66, DELEGATION_TOKEN_EXPIRED, 0, "the delegation token has expired")     \
    X(67, INVALID_PRINCIPAL_TYPE, 0, "the principal's type is not supported")  \
    X(68, NON_EMPTY_GROUP, 0, "the group has members")                         \
    X(69, GROUP_ID_NOT_FOUND, 0, "no such group")                              \
    X(70, FETCH_SESSION_ID_NOT_FOUND, 1, "no such fetch session")              \
    X(71, INVALID_FETCH_SESSION_EPOCH, 1,                                      \
      "not the epoch that the fetch session expects")                          \
    X(72, LISTENER_NOT_FOUND, 1, "the leader has no such listener")            \
    X(73, TOPIC_DELETION_DISABLED, 0, "topics may not be deleted")             \
    X(74, FENCED_LEADER_EPOCH, 1,                                              \
      "the leader epoch is older than the broker's")                           \
    X(75, UNKNOWN_LEADER_EPOCH, 1,                                             \
      "the leader epoch is newer than the broker's")                           \
    X(76, UNSUPPORTED_COMPRESSION_TYPE, 0,                                     \
      "the client's version cannot have this compression")                     \
    X(77, STALE_BROKER_EPOCH, 0, "the broker's epoch is stale")                \
    X(78, OFFSET_NOT_AVAILABLE, 1,                                             \
      "the new leader does not know its high watermark yet")                   \
    X(79, MEMBER_ID_REQUIRED, 0,                                               \
      "join again with the member id that was given")                          \
    X(80, PREFERRED_LEADER_NOT_AVAILABLE, 1,                                   \
      "the preferred leader is not available")                                 \
    X(81, GROUP_MAX_SIZE_REACHED, 0, "the group is full")                      \
    X(82, FENCED_INSTANCE_ID, 0,                                               \
      "another member has taken this group.instance.id")                       \
    X(83, ELIGIBLE_LEADERS_NOT_AVAILABLE, 1,                                   \
      "no eligible leader is available")                                       \
    X(84, ELECTION_NOT_NEEDED, 1, "no election is needed")                     \
    X(85, NO_REASSIGNMENT_IN_PROGRESS, 0, "no reassignment is under way")      \
    X(86, GROUP_SUBSCRIBED_TO_TOPIC, 0,                                        \
      "the group is subscribed to the topic")                                  \
    X(87, INVALID_RECORD, 0, "a record is not valid")                          \
    X(88, UNSTABLE_OFFSET_COMMIT, 1,                                           \
      "a transaction has yet to decide about offsets")                         \
    X(89, THROTTLING_QUOTA_EXCEEDED, 1, "the quota is exceeded")               \
    X(90, PRODUCER_FENCED, 0,                                                  \
      "a newer producer has taken this transactional id")                      \
    X(91, RESOURCE_NOT_FOUND, 0, "no such resource")                           \
    X(92, DUPLICATE_RESOURCE, 0, "the same resource twice")                    \
    X(93, UNACCEPTABLE_CREDENTIAL, 0, "the credential is not acceptable")      \
    X(94, INCONSISTENT_VOTER_SET, 0, "sender or receiver is not a voter")      \
    X(95, INVALID_UPDATE_VERSION, 0, "the version to update to is not valid")  \
    X(96, FEATURE_UPDATE_FAILED, 0, "the feature could not be updated")        \
    X(97, PRINCIPAL_DESERIALIZATION_FAILURE, 0,                                \
      "the forwarded principal cannot be read")                                \
    X(98, SNAPSHOT_NOT_FOUND, 0, "no such snapshot")                           \
    X(99, POSITION_OUT_OF_RANGE, 0, "the position is outside the snapshot")    \
    X(100, UNKNOWN_TOPIC_ID, 1, "no topic with this id here")                  \
    X(101, DUPLICATE_BROKER_REGISTRATION, 0, "the broker id is in use")        \
    X(102, BROKER_ID_NOT_REGISTERED, 0, "the broker id is not registered")     \
    X(103, INCONSISTENT_TOPIC_ID, 1, "the topic's id is another one")          \
    X(104, INCONSISTENT_CLUSTER_ID, 0, "the cluster's id is another one")      \
    X(105, TRANSACTIONAL_ID_NOT_FOUND, 0, "no such transactional id")          \
    X(106, FETCH_SESSION_TOPIC_ID_ERROR, 1,                                    \
      "the fetch session mixes topic names and ids")                           \
    X(107, INELIGIBLE_REPLICA, 0,                                              \
      "a replica may not join the in-sync replicas")                           \
    X(108, NEW_LEADER_ELECTED, 0,                                              \
      "the partition was changed and has another leader")                      \
    X(109, OFFSET_MOVED_TO_TIERED_STORAGE, 0,                                  \
      "the offset lies in tiered storage")                                     \
    X(110, FENCED_MEMBER_EPOCH, 0,                                             \
      "the member's epoch is fenced: give up all partitions and join again")   \
    X(111, UNRELEASED_INSTANCE_ID, 0,                                          \
      "another member still holds this instance id")                           \
    X(112, UNSUPPORTED_ASSIGNOR, 0, "the group does not support the assignor") \
    X(113, STALE_MEMBER_EPOCH, 0, "the member's epoch is stale")               \
    X(114, MISMATCHED_ENDPOINT_TYPE, 0, "sent to the wrong type of endpoint")  \
    X(115, UNSUPPORTED_ENDPOINT_TYPE, 0,                                       \
      "the type of endpoint is not supported")                                 \
    X(116, UNKNOWN_CONTROLLER_ID, 0, "no such controller")                     \
    X(117, UNKNOWN_SUBSCRIPTION_ID, 0, "no such telemetry subscription")       \
    X(118, TELEMETRY_TOO_LARGE, 0, "too much telemetry at once")               \
    X(119, INVALID_REGISTRATION, 0, "the broker's registration is not valid")  \
    X(120, TRANSACTION_ABORTABLE, 0,                                           \
      "the transaction failed and must be aborted")                            \
    X(121, INVALID_RECORD_STATE, 0,                                            \
      "the record's state does not allow this acknowledgement")                \
    X(122, SHARE_SESSION_NOT_FOUND, 1, "no such share session")                \
    X(123, INVALID_SHARE_SESSION_EPOCH, 1,                                     \
      "not the epoch that the share session expects")                          \
    X(124, FENCED_STATE_EPOCH, 0,                                              \
      "the share group's state epoch is another one")                          \
    X(125, INVALID_VOTER_KEY, 0, "the voter's key is another one")             \
    X(126, DUPLICATE_VOTER, 0, "the voter is in the set already")              \
    X(127, VOTER_NOT_FOUND, 0, "no such voter")                                \
    X(128, INVALID_REGULAR_EXPRESSION, 0,                                      \
      "the regular expression is not valid")                                   \
    X(129, REBOOTSTRAP_REQUIRED, 0, "the client must bootstrap again")         \
    X(130, STREAMS_INVALID_TOPOLOGY, 0, "the topology is not valid")           \
    X(131, STREAMS_INVALID_TOPOLOGY_EPOCH, 0,                                  \
      "the topology's epoch is not valid")                                     \
    X(132, STREAMS_TOPOLOGY_FENCED, 0, "the topology's epoch is outdated")     \
    X(133, SHARE_SESSION_LIMIT_REACHED, 1, "there are too many share sessions")

enum {
#define KAFKA_ERROR_ENUM(code, name, retriable, text) KAFKA_##name = (code),
    KAFKA_ERRORS(KAFKA_ERROR_ENUM)
#undef KAFKA_ERROR_ENUM
        KAFKA_ERROR_END_
};

/* "UNKNOWN_TOPIC_OR_PARTITION"; an unknown code has UNKNOWN_SERVER_ERROR's
 * name, text and nature. Any thread; the strings are static. */
const char *kafka_error_name(int16_t code);
const char *kafka_error_text(int16_t code);
bool kafka_error_retriable(int16_t code);

#endif
