/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of the consumer protocol (KIP-848), for the files that make it up.
 *
 * The group epoch rises whenever subscriptions or topics change; for each
 * group epoch a target assignment is computed. A member is led to its target
 * by its own heartbeats: it gives up what it must (UNREVOKED), then waits for
 * what others still hold (UNRELEASED), then is STABLE. A partition is never
 * given to a member while another one holds it.
 *
 * A change of state is put as a record at the same time; replay does the same
 * from the record.
 */
#ifndef TAKHIN_COORDINATOR_CONSUMER_GROUP_H
#define TAKHIN_COORDINATOR_CONSUMER_GROUP_H

#include "coordinator/consumer_state.h"
#include "coordinator/partition_set.h"

/* As in the current assignment's record. */
typedef enum {
    CONSUMER_STABLE = 0,
    CONSUMER_UNREVOKED = 1,    /* must give partitions up first */
    CONSUMER_UNRELEASED = 2,   /* others still hold partitions of its target */
    CONSUMER_UNKNOWN = 127     /* a newer broker's: rejoin */
} consumer_member_state_t;

enum {
    CONSUMER_LEAVE_EPOCH = -1,
    CONSUMER_LEAVE_STATIC_EPOCH = -2, /* a static member will be back */
    CONSUMER_NO_ASSIGNMENT = -1       /* assignment epoch: none yet */
};

typedef struct {
    group_t *group;
    wire_string_t id;
    wire_string_t instance_id;  /* null: dynamic */
    wire_string_t rack_id;      /* or null */
    wire_string_t client_id, client_host;
    wire_string_t *topics;      /* subscribed to by name: sorted, no twins */
    int32_t topic_count;
    wire_string_t regex;        /* null or empty: none */
    wire_string_t assignor;     /* null: does not mind */
    int32_t rebalance_timeout_ms;
    int32_t epoch, previous_epoch;
    consumer_member_state_t state;
    partition_set_t assigned;   /* it may read them */
    partition_set_t revoking;   /* it must give them up, and may still hold */
    partition_set_t target;
    int32_t session_timeout_ms; /* of a classic member */
    classic_protocol_t *protocols;
    int32_t protocol_count;
    deadline_t session;         /* to be heard of */
    deadline_t revocation;      /* to give up what it must */
    deadline_t phase;           /* a classic member's, to join or to sync */
    unsigned is_classic : 1;    /* speaks the classic protocol */
} consumer_member_t;

/* What a regular expression means at present. */
typedef struct {
    wire_string_t *topics;      /* sorted */
    int32_t topic_count;
    int64_t version;            /* of the metadata: its offset */
    int64_t timestamp;          /* ms */
    int seen;                   /* a member still has it: used in passing */
} consumer_regex_t;

struct consumer_t {
    int32_t epoch;
    int32_t assignment_epoch;
    int64_t assignment_timestamp;
    uint64_t metadata_hash;     /* of the topics subscribed to */
    int64_t metadata_seen;      /* offset of the image looked at; -1: none */
    map_t members;              /* id -> consumer_member_t */
    map_t statics;              /* instance id -> consumer_member_t */
    map_t owners;               /* partition -> consumer_member_t */
    map_t regexes;              /* expression -> consumer_regex_t */
    map_t subscribed;           /* topic -> 1, of all members */
};

/* ---- consumer_group.c ---------------------------------------------------- */

/* The consumer group of that id, or NULL; a new one where there is none. */
consumer_t *consumer_make(group_t *group);
consumer_member_t *consumer_member(const group_t *group, wire_string_t id);
consumer_member_t *consumer_static_member(const group_t *group,
                                          wire_string_t instance_id);
/* A new member without subscription or assignment. */
consumer_member_t *consumer_add_member(group_t *group, wire_string_t id,
                                       wire_string_t instance_id);
void consumer_drop_member(group_t *group, consumer_member_t *member);
/* Sets what MEMBER holds (both sets are moved from) and who owns it. */
void consumer_set_held(consumer_member_t *member, partition_set_t *assigned,
                       partition_set_t *revoking);
/* Whether somebody else than MEMBER holds the partition. */
int consumer_is_held(const consumer_member_t *member,
                     const wire_uuid_t *topic, int32_t partition);
/* Sets the names MEMBER subscribes to; whether that is a change. */
int consumer_set_topics(consumer_member_t *member, const wire_string_t *topics,
                        int32_t count);
void consumer_set_protocols(
    consumer_member_t *member,
    const join_group_request_join_group_request_protocol_t *protocols,
    int32_t count);
void consumer_clear_protocols(consumer_member_t *member);
void consumer_regex_free(consumer_regex_t *regex);
uint32_t consumer_classic_count(const group_t *group);

/* ---- consumer_records.c -------------------------------------------------- */

void consumer_put_member(const consumer_member_t *member);
void consumer_put_epoch(const group_t *group);
void consumer_put_target(const consumer_member_t *member);
void consumer_put_target_epoch(const group_t *group);
void consumer_put_current(const consumer_member_t *member);
void consumer_put_regex(const group_t *group, wire_string_t expression,
                        const consumer_regex_t *regex);
/* Tombstones of what the records above said. */
void consumer_put_member_gone(const group_t *group, wire_string_t id);

/* ---- consumer_assign.c --------------------------------------------------- */

/* Looks at subscriptions and metadata, bumps the epoch where something
 * changed (or CHANGED says so), and computes the target of a new epoch. */
void consumer_refresh(group_t *group, int changed);
/* One step of MEMBER towards its target. OWNED is what it says it holds (NULL:
 * it did not say). FENCED_MEMBER_EPOCH when its state is unknown. */
int16_t consumer_reconcile(consumer_member_t *member,
                           const partition_set_t *owned);
int consumer_waits_for_release(const consumer_member_t *member);
/* MEMBER leaves, or is thrown out. */
void consumer_remove_member(group_t *group, consumer_member_t *member);
/* Deadlines. */
void consumer_touch(consumer_member_t *member);
void consumer_session_passed(deadline_t *deadline);
void consumer_revocation_passed(deadline_t *deadline);
void consumer_phase_passed(deadline_t *deadline);

/* ---- consumer_classic.c: between the protocols --------------------------- */

/* Makes a consumer group of a classic one that has members (an upgrade).
 * Whether it could. */
int consumer_upgrade(group_t *group);
/* Makes a classic group of a consumer group when LEAVING is gone, and all
 * others speak the classic protocol. Whether it did. */
int consumer_downgrade(group_t *group, consumer_member_t *leaving);

#endif
