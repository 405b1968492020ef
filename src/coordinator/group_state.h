/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shard knows of its groups. All of it is under the shard's lock and
 * freed by name. A group that only stores offsets ("simple") is a classic one
 * that is empty and has no protocol type.
 */
#ifndef TAKHIN_COORDINATOR_GROUP_STATE_H
#define TAKHIN_COORDINATOR_GROUP_STATE_H

#include "coordinator/group_shard.h"
#include "coordinator/offsets.h"
#include "protocol/group_metadata_value.h"

typedef enum { GROUP_CLASSIC, GROUP_CONSUMER } group_type_t;

/* ---- the classic protocol ------------------------------------------------ */

/*
 * Empty -> PreparingRebalance -> CompletingRebalance -> Stable, back to
 * PreparingRebalance whenever membership changes, and to Empty when the last
 * member is gone. (Kafka's Dead is a group that is not there.)
 */
typedef enum {
    CLASSIC_EMPTY,
    CLASSIC_PREPARING,   /* members must join: their JoinGroups are parked */
    CLASSIC_COMPLETING,  /* the leader must assign: SyncGroups are parked */
    CLASSIC_STABLE
} classic_state_t;

typedef struct {
    wire_string_t name;
    wire_bytes_t metadata;
} classic_protocol_t;

typedef struct {
    group_t *group;
    wire_string_t id;
    wire_string_t instance_id;      /* null: dynamic */
    wire_string_t client_id, client_host;
    int32_t rebalance_timeout_ms, session_timeout_ms;
    classic_protocol_t *protocols;  /* in the order of preference */
    int32_t protocol_count;
    wire_bytes_t assignment;
    group_call_t *join;             /* parked, or NULL */
    group_call_t *sync;
    deadline_t session;
    unsigned is_new : 1;            /* has not seen the end of its first join */
    unsigned pending : 1;           /* was told an id only, not joined yet */
    unsigned must_sync : 1;
} classic_member_t;

typedef struct {
    classic_state_t state, previous;
    int64_t state_timestamp;        /* ms; -1: not known */
    int32_t generation;
    wire_string_t protocol_type;    /* null: simple, or nobody joined yet */
    wire_string_t protocol;         /* chosen; null: none */
    wire_string_t leader;           /* member id; null: none */
    map_t members;                  /* id -> classic_member_t */
    map_t pending;                  /* the same, of who only has an id */
    map_t statics;                  /* instance id -> classic_member_t */
    map_t supported;                /* protocol -> members that have it */
    uint32_t joining;               /* members whose JoinGroup is parked */
    map_t *topics;                  /* subscribed to; NULL: not known */
    deadline_t rebalance;           /* end of the join phase */
    deadline_t syncing;             /* end of the sync phase */
    int32_t delay_ms, remaining_ms; /* of the initial delay */
    unsigned initial : 1;           /* the deadline is that of the delay */
    unsigned member_added : 1;      /* during the delay */
} classic_t;

typedef struct consumer_t consumer_t; /* KIP-848: consumer_state.h */

struct group_t {
    group_shard_t *shard;
    wire_string_t id;
    group_type_t type;
    offsets_t offsets;
    uint32_t open_transactions;     /* that hold offsets of this group */
    classic_t classic;
    consumer_t *consumer;           /* when that is its type */
};

/* The group of that id, or NULL. */
group_t *group_find(group_shard_t *shard, wire_string_t id);
/* The group of that id; if there is none, an empty classic one. */
group_t *group_need(group_shard_t *shard, wire_string_t id);
/* Takes it out of its shard and frees it. */
void group_remove(group_t *group);
void group_free(group_t *group);
/* Refuses all its parked calls. */
void group_abandon(group_t *group, int16_t error);
/* Whether nobody is a member. */
int group_is_empty(const group_t *group);
/* "Stable" and so on, as Kafka names it. */
const char *group_state_name(const group_t *group);
/* Whether a member subscribes to TOPIC; yes where it cannot be known of a
 * consumer group. */
int group_subscribes(const group_t *group, wire_string_t topic);
/* Puts tombstones for the group itself (not its offsets). */
void group_put_tombstones(group_t *group);
/* After the shard was replayed: deadlines start to run. */
void group_replayed(group_shard_t *shard);

/* ---- classic: group_classic.c -------------------------------------------- */

const char *classic_state_name(classic_state_t state);
void classic_set_state(group_t *group, classic_state_t state);
classic_member_t *classic_member(const group_t *group, wire_string_t id);
classic_member_t *classic_static_member(const group_t *group,
                                        wire_string_t instance_id);
/* NONE, UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID (KIP-345). */
int16_t classic_check_member(const group_t *group, wire_string_t id,
                             wire_string_t instance_id);
int classic_is_leader(const group_t *group, const classic_member_t *member);
/* MEMBER belongs to the group from now on. */
void classic_add(group_t *group, classic_member_t *member,
                 group_call_t *join);
/* Takes MEMBER (or a pending one) out and frees it; its parked calls must be
 * answered. A leader is followed by the member that came first. */
void classic_remove(group_t *group, classic_member_t *member);
void classic_member_free(classic_member_t *member);
/* MEMBER's JoinGroup is parked from now on. */
void classic_park_join(group_t *group, classic_member_t *member,
                       group_call_t *join);
group_call_t *classic_unpark_join(group_t *group, classic_member_t *member);
void classic_set_protocols(
    group_t *group, classic_member_t *member,
    const join_group_request_join_group_request_protocol_t *protocols,
    int32_t count);
/* Gives the static MEMBER another id. */
void classic_rename(group_t *group, classic_member_t *member,
                    wire_string_t new_id);
int classic_supports(
    const group_t *group, wire_string_t protocol_type,
    const join_group_request_join_group_request_protocol_t *protocols,
    int32_t count);
/* The protocol that most members prefer of those all have. */
wire_string_t classic_vote(const group_t *group);
int classic_all_joined(const group_t *group);
int32_t classic_rebalance_timeout(const group_t *group);
/* MEMBER's metadata for the chosen protocol. */
wire_bytes_t classic_metadata(const group_t *group,
                              const classic_member_t *member);
/* A next generation: its protocol, state and topics. */
void classic_next_generation(group_t *group);
/* From the members' subscriptions, where the group is of consumers. */
void classic_compute_topics(group_t *group);
int classic_uses_consumer_protocol(const group_t *group);
void classic_init(group_t *group);
void classic_free(group_t *group);
/* Puts the record of the group as it is. */
void classic_put(group_t *group);
/* Replays it. VALUE NULL: a tombstone. */
void classic_replay(group_shard_t *shard, wire_string_t id,
                    const group_metadata_value_t *value);

/* ---- classic: group_join.c, group_sync.c --------------------------------- */

/* The member is heard of: its session starts anew. */
void classic_touch(classic_member_t *member);
void classic_session_passed(deadline_t *deadline);
void classic_rebalance_passed(deadline_t *deadline);
void classic_sync_passed(deadline_t *deadline);
/* Starts a rebalance where the state allows one; else looks whether the join
 * phase is complete. */
void classic_rebalance_or_complete(group_t *group, const char *reason);
void classic_prepare_rebalance(group_t *group, const char *reason);
void classic_complete_if_all_joined(group_t *group);
/* Answers all parked SyncGroups: their assignment, or ERROR. */
void classic_answer_syncs(group_t *group, int16_t error);

/* ---- offsets: offsets_commit.c, offsets_expiry.c ------------------------- */

/* An open transaction's offsets, by producer id in the shard's map. */
typedef struct {
    int64_t producer_id;
    map_t groups;                   /* group id -> offsets_t */
} offset_transaction_t;

int offsets_pending(const group_t *group, wire_string_t topic,
                    int32_t partition);
void offsets_free_transactions(map_t *transactions);
void offsets_put_tombstone(group_t *group, wire_string_t topic,
                           int32_t partition);
/* Tombstones for all there are, also the pending ones. */
void offsets_put_tombstones(group_t *group);
/* Replays one: VALUE NULL is a tombstone, PRODUCER_ID -1 no transaction. */
void offsets_replay(group_shard_t *shard, int64_t producer_id,
                    wire_string_t group, wire_string_t topic,
                    const committed_t *committed, int32_t partition);
void offsets_replay_end(group_shard_t *shard, int64_t producer_id, int commit);
void group_expire_offsets(group_shard_t *shard);
/* Nobody has committed to them any more: GROUP is about to go. */
void offsets_leave_transactions(group_t *group);
void group_forget_deleted_topics(group_shard_t *shard);
/* The same where nothing is loaded: what is replayed later was written later,
 * or is found out of date when its group is empty. */
void group_skip_deleted_topics(group_shard_t *shard);
void group_free_deleted_topics(group_coordinator_t *coordinator);

#endif
