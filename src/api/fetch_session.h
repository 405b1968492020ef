/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Incremental fetch sessions (KIP-227): a client names its partitions once, then
 * only what changed, and is answered only what changed. A fetch context is one
 * request's view: the partitions to read, in order, and after reading, which
 * of them the answer must carry.
 */
#ifndef TAKHIN_API_FETCH_SESSION_H
#define TAKHIN_API_FETCH_SESSION_H

#include <apr_pools.h>
#include <stdint.h>

#include "protocol/fetch_request.h"
#include "protocol/wire.h"

typedef struct fetch_sessions_t fetch_sessions_t;
typedef struct fetch_session_t fetch_session_t;
typedef struct fetch_entry_t fetch_entry_t;

/* One partition to read. TOPIC is empty where the client speaks in ids. */
typedef struct {
    wire_string_t topic;
    wire_uuid_t topic_id;
    int32_t partition;
    int32_t current_leader_epoch;
    int32_t last_fetched_epoch;
    int32_t max_bytes;
    int64_t fetch_offset;
    fetch_entry_t *entry;    /* the session's memory of it, or NULL */
} fetch_item_t;

typedef struct {
    fetch_session_t *session; /* counted, or NULL: answer in full, no session */
    int32_t session_id;       /* to be answered */
    int32_t epoch;            /* the session's when this request began */
    int incremental;          /* answer only what changed */
    int count;
    fetch_item_t *items;      /* in POOL of fetch_context_open */
} fetch_context_t;

/* SLOTS: max.incremental.fetch.session.cache.slots. Lives as long as POOL. */
apr_status_t fetch_sessions_create(fetch_sessions_t **sessions, int slots,
                                   apr_pool_t *pool);

/*
 * Sets *CONTEXT for REQUEST, all of it in POOL (strings of a session-less
 * request still point into its frame). Returns a Kafka error code:
 * FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
 * FETCH_SESSION_TOPIC_ID_ERROR, or NONE. Any thread.
 */
int16_t fetch_context_open(fetch_sessions_t *sessions,
                           const fetch_request_t *request, int16_t version,
                           apr_pool_t *pool, fetch_context_t *context);

/* Whether the answer must carry ITEM, whose reading gave these; remembers them
 * for the next request of the session. Any thread, one at a time a context. */
int fetch_context_must_answer(fetch_sessions_t *sessions,
                              fetch_context_t *context,
                              const fetch_item_t *item, int16_t error,
                              int64_t high_watermark, int64_t log_start_offset,
                              apr_size_t bytes);

/* Gives back the session. */
void fetch_context_close(fetch_sessions_t *sessions, fetch_context_t *context);

#endif
