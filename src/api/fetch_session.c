/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of fetch sessions. One mutex guards the cache and every session:
 * it is held for hash probes and list moves, never while a log is read.
 * A request works on copies (fetch_item_t), so a client that breaks the
 * protocol with two requests at once hurts only its own session.
 */
#include "api/fetch_session.h"

#include <apr_hash.h>
#include <apr_ring.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <apr_general.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "protocol/error_code.h"

enum {
    SESSION_NONE = 0,      /* session id: none */
    EPOCH_INITIAL = 0,     /* begins a session */
    EPOCH_FINAL = -1,      /* asks for no session, or ends one */
    EVICTION_US = 120 * 1000000 /* an idle session younger than this stays */
};

/* Names a partition inside a session: an id or a name, and the index. */
typedef struct {
    apr_size_t length;
    char bytes[sizeof(int32_t) + 256];
} partition_key_t;

struct fetch_entry_t {
    APR_RING_ENTRY(fetch_entry_t) link;
    wire_uuid_t topic_id;
    char *topic;                 /* NULL where the client speaks in ids */
    apr_size_t topic_length;
    int32_t partition;
    int32_t current_leader_epoch;
    int32_t last_fetched_epoch;
    int32_t max_bytes;
    int64_t fetch_offset;
    int64_t sent_high_watermark; /* -1: nothing sent yet, or an error was */
    int64_t sent_log_start;
    apr_size_t key_length;
    char key[];                  /* then the topic's name */
};
APR_RING_HEAD(entry_ring_t, fetch_entry_t);

struct fetch_session_t {
    APR_RING_ENTRY(fetch_session_t) link; /* by last use, oldest first */
    int32_t id;
    int32_t epoch;               /* expected of the next request */
    int references;              /* the cache's and the running requests' */
    int uses_ids;
    int cached;
    int count;
    apr_time_t last_used;
    apr_pool_t *pool;            /* the hash's; entries are malloc'ed */
    apr_hash_t *by_key;
    struct entry_ring_t entries; /* in the order they are read */
};
APR_RING_HEAD(session_ring_t, fetch_session_t);

struct fetch_sessions_t {
    apr_thread_mutex_t *mutex;
    apr_hash_t *by_id;
    struct session_ring_t by_use;
    int count;
    int slots;
};

static void key_make(partition_key_t *key, const wire_string_t *topic,
                     const wire_uuid_t *id, int32_t partition, int uses_ids)
{
    const void *name = uses_ids ? (const void *)id->bytes : topic->data;
    apr_size_t length = uses_ids ? sizeof id->bytes
                                 : (apr_size_t)(topic->length < 0 ? 0 : topic->length);

    /* A name longer than any topic's cannot be one: its head is enough to
     * keep it apart, and it will be answered UNKNOWN_TOPIC_OR_PARTITION. */
    if (length > sizeof key->bytes - sizeof partition)
        length = sizeof key->bytes - sizeof partition;
    memcpy(key->bytes, &partition, sizeof partition);
    if (length)
        memcpy(key->bytes + sizeof partition, name, length);
    key->length = sizeof partition + length;
}

static fetch_entry_t *entry_create(const partition_key_t *key,
                                   const fetch_item_t *item, int uses_ids)
{
    apr_size_t name = uses_ids || item->topic.length < 0
                          ? 0 : (apr_size_t)item->topic.length;
    fetch_entry_t *entry = calloc(1, sizeof *entry + key->length + name);

    TAKHIN_ASSERT(entry != NULL);
    APR_RING_ELEM_INIT(entry, link);
    memcpy(entry->key, key->bytes, key->length);
    entry->key_length = key->length;
    if (!uses_ids) {
        entry->topic = entry->key + key->length;
        if (name)
            memcpy(entry->topic, item->topic.data, name);
        entry->topic_length = name;
    }
    entry->topic_id = item->topic_id;
    entry->partition = item->partition;
    entry->sent_high_watermark = -1;
    entry->sent_log_start = -1;
    return entry;
}

static void entry_update(fetch_entry_t *entry, const fetch_item_t *item)
{
    entry->current_leader_epoch = item->current_leader_epoch;
    entry->last_fetched_epoch = item->last_fetched_epoch;
    entry->max_bytes = item->max_bytes;
    entry->fetch_offset = item->fetch_offset;
}

static fetch_session_t *session_create(int32_t id, int uses_ids)
{
    fetch_session_t *session = calloc(1, sizeof *session);

    TAKHIN_ASSERT(session != NULL);
    apr_pool_create(&session->pool, NULL);
    session->by_key = apr_hash_make(session->pool);
    session->id = id;
    session->epoch = 1;
    session->references = 1;
    session->uses_ids = uses_ids;
    APR_RING_INIT(&session->entries, fetch_entry_t, link);
    return session;
}

static void session_release(fetch_session_t *session)
{
    if (--session->references > 0)
        return;
    while (!APR_RING_EMPTY(&session->entries, fetch_entry_t, link)) {
        fetch_entry_t *entry = APR_RING_FIRST(&session->entries);

        APR_RING_REMOVE(entry, link);
        free(entry);
    }
    apr_pool_destroy(session->pool);
    free(session);
}

static void session_put(fetch_session_t *session, const fetch_item_t *item)
{
    partition_key_t key;
    fetch_entry_t *entry;

    key_make(&key, &item->topic, &item->topic_id, item->partition,
             session->uses_ids);
    entry = apr_hash_get(session->by_key, key.bytes, key.length);
    if (!entry) {
        entry = entry_create(&key, item, session->uses_ids);
        apr_hash_set(session->by_key, entry->key, entry->key_length, entry);
        APR_RING_INSERT_TAIL(&session->entries, entry, fetch_entry_t, link);
        session->count++;
    }
    entry_update(entry, item);
}

static void session_forget(fetch_session_t *session, const wire_string_t *topic,
                           const wire_uuid_t *id, int32_t partition)
{
    partition_key_t key;
    fetch_entry_t *entry;

    key_make(&key, topic, id, partition, session->uses_ids);
    entry = apr_hash_get(session->by_key, key.bytes, key.length);
    if (!entry)
        return;
    apr_hash_set(session->by_key, entry->key, entry->key_length, NULL);
    APR_RING_REMOVE(entry, link);
    session->count--;
    free(entry);
}

static void cache_remove(fetch_sessions_t *sessions, fetch_session_t *session)
{
    if (!session->cached)
        return;
    session->cached = 0;
    apr_hash_set(sessions->by_id, &session->id, sizeof session->id, NULL);
    APR_RING_REMOVE(session, link);
    sessions->count--;
    session_release(session);
}

/* The pool is gone, and with it whoever could use a session. */
static apr_status_t cache_clear(void *baton)
{
    fetch_sessions_t *sessions = baton;

    while (!APR_RING_EMPTY(&sessions->by_use, fetch_session_t, link))
        cache_remove(sessions, APR_RING_FIRST(&sessions->by_use));
    return APR_SUCCESS;
}

apr_status_t fetch_sessions_create(fetch_sessions_t **sessions, int slots,
                                   apr_pool_t *pool)
{
    fetch_sessions_t *s = apr_pcalloc(pool, sizeof *s);

    s->slots = slots;
    s->by_id = apr_hash_make(pool);
    APR_RING_INIT(&s->by_use, fetch_session_t, link);
    apr_pool_cleanup_register(pool, s, cache_clear, apr_pool_cleanup_null);
    *sessions = s;
    return apr_thread_mutex_create(&s->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
}

/* Makes room for one session; 0 when all are in use. */
static int cache_make_room(fetch_sessions_t *sessions, apr_time_t now)
{
    fetch_session_t *oldest;

    if (sessions->count < sessions->slots)
        return 1;
    if (APR_RING_EMPTY(&sessions->by_use, fetch_session_t, link))
        return 0;
    oldest = APR_RING_FIRST(&sessions->by_use);
    if (now - oldest->last_used < EVICTION_US)
        return 0;
    cache_remove(sessions, oldest);
    return 1;
}

static int32_t new_id(fetch_sessions_t *sessions)
{
    int32_t id;

    do {
        apr_generate_random_bytes((unsigned char *)&id, sizeof id);
        id &= 0x7fffffff;
    } while (id == SESSION_NONE ||
             apr_hash_get(sessions->by_id, &id, sizeof id));
    return id;
}

static void cache_touch(fetch_sessions_t *sessions, fetch_session_t *session,
                        apr_time_t now)
{
    APR_RING_REMOVE(session, link);
    APR_RING_INSERT_TAIL(&sessions->by_use, session, fetch_session_t, link);
    session->last_used = now;
}

static fetch_session_t *cache_add(fetch_sessions_t *sessions, int uses_ids)
{
    apr_time_t now = clock_monotonic();
    fetch_session_t *session;

    if (!cache_make_room(sessions, now))
        return NULL;
    session = session_create(new_id(sessions), uses_ids);
    session->cached = 1;
    session->last_used = now;
    APR_RING_ELEM_INIT(session, link);
    APR_RING_INSERT_TAIL(&sessions->by_use, session, fetch_session_t, link);
    apr_hash_set(sessions->by_id, &session->id, sizeof session->id, session);
    sessions->count++;
    return session;
}

static int request_partitions(const fetch_request_t *request)
{
    int count = 0;

    for (int32_t t = 0; t < request->topics_count; t++)
        if (request->topics[t].partitions_count > 0)
            count += request->topics[t].partitions_count;
    return count;
}

/* The partitions as the request lists them. */
static void items_from_request(fetch_context_t *context,
                               const fetch_request_t *request,
                               apr_pool_t *pool)
{
    int n = 0;

    context->count = request_partitions(request);
    context->items = apr_pcalloc(pool, (context->count + 1) *
                                           sizeof *context->items);
    for (int32_t t = 0; t < request->topics_count; t++) {
        const fetch_request_fetch_topic_t *topic = &request->topics[t];

        for (int32_t p = 0; p < topic->partitions_count; p++) {
            const fetch_request_fetch_partition_t *from =
                &topic->partitions[p];
            fetch_item_t *item = &context->items[n++];

            item->topic = topic->topic;
            item->topic_id = topic->topic_id;
            item->partition = from->partition;
            item->current_leader_epoch = from->current_leader_epoch;
            item->last_fetched_epoch = from->last_fetched_epoch;
            item->max_bytes = from->partition_max_bytes;
            item->fetch_offset = from->fetch_offset;
        }
    }
}

/* The partitions as the session remembers them, in its order. */
static void items_from_session(fetch_context_t *context, apr_pool_t *pool)
{
    fetch_session_t *session = context->session;
    fetch_entry_t *entry;
    int n = 0;

    context->count = session->count;
    context->items = apr_pcalloc(pool, (session->count + 1) *
                                           sizeof *context->items);
    APR_RING_FOREACH(entry, &session->entries, fetch_entry_t, link) {
        fetch_item_t *item = &context->items[n++];

        item->topic.data = entry->topic_length
                               ? apr_pstrmemdup(pool, entry->topic,
                                                entry->topic_length)
                               : "";
        item->topic.length = (int32_t)entry->topic_length;
        item->topic_id = entry->topic_id;
        item->partition = entry->partition;
        item->current_leader_epoch = entry->current_leader_epoch;
        item->last_fetched_epoch = entry->last_fetched_epoch;
        item->max_bytes = entry->max_bytes;
        item->fetch_offset = entry->fetch_offset;
        item->entry = entry;
    }
}

static void session_put_all(fetch_session_t *session,
                            const fetch_context_t *asked)
{
    for (int i = 0; i < asked->count; i++)
        session_put(session, &asked->items[i]);
}

/* Of an incremental fetch only: a full one has nothing to forget. */
static void session_forget_all(fetch_session_t *session,
                               const fetch_request_t *request)
{
    for (int32_t t = 0; t < request->forgotten_topics_data_count; t++) {
        const fetch_request_forgotten_topic_t *topic =
            &request->forgotten_topics_data[t];

        for (int32_t p = 0; p < topic->partitions_count; p++)
            session_forget(session, &topic->topic, &topic->topic_id,
                           topic->partitions[p]);
    }
}

/* A full fetch: of no session, or the first of a new one. */
static void open_full(fetch_sessions_t *sessions,
                      const fetch_request_t *request, int uses_ids,
                      apr_pool_t *pool, fetch_context_t *context)
{
    fetch_session_t *old = NULL;

    if (request->session_id != SESSION_NONE)
        old = apr_hash_get(sessions->by_id, &request->session_id,
                           sizeof request->session_id);
    if (old)
        cache_remove(sessions, old);
    items_from_request(context, request, pool);
    if (request->session_epoch != EPOCH_INITIAL || context->count == 0)
        return;
    context->session = cache_add(sessions, uses_ids);
    if (!context->session)
        return;
    session_put_all(context->session, context);
    items_from_session(context, pool);
}

static int16_t open_incremental(fetch_sessions_t *sessions,
                                const fetch_request_t *request, int uses_ids,
                                apr_pool_t *pool, fetch_context_t *context)
{
    fetch_session_t *session =
        apr_hash_get(sessions->by_id, &request->session_id,
                     sizeof request->session_id);

    if (!session)
        return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
    if (session->epoch != request->session_epoch)
        return KAFKA_INVALID_FETCH_SESSION_EPOCH;
    if (session->uses_ids != uses_ids)
        return KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
    items_from_request(context, request, pool);
    session_put_all(session, context);
    session_forget_all(session, request);
    if (session->count == 0) {
        cache_remove(sessions, session);
        context->count = 0;
        return KAFKA_NONE;
    }
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
    cache_touch(sessions, session, clock_monotonic());
    context->session = session;
    context->incremental = 1;
    items_from_session(context, pool);
    return KAFKA_NONE;
}

int16_t fetch_context_open(fetch_sessions_t *sessions,
                           const fetch_request_t *request, int16_t version,
                           apr_pool_t *pool, fetch_context_t *context)
{
    int uses_ids = version >= 13;
    int16_t error = KAFKA_NONE;

    memset(context, 0, sizeof *context);
    if (request->session_epoch == EPOCH_FINAL &&
        request->session_id == SESSION_NONE) {
        items_from_request(context, request, pool);
        return KAFKA_NONE;
    }
    apr_thread_mutex_lock(sessions->mutex);
    if (request->session_epoch == EPOCH_INITIAL ||
        request->session_epoch == EPOCH_FINAL)
        open_full(sessions, request, uses_ids, pool, context);
    else
        error = open_incremental(sessions, request, uses_ids, pool, context);
    if (context->session) {
        context->session->references++;
        context->session_id = context->session->id;
        context->epoch = context->session->epoch;
    }
    apr_thread_mutex_unlock(sessions->mutex);
    return error;
}

/* Whether what a partition's reading gave differs from what was last sent. */
static int entry_changed(fetch_entry_t *entry, int16_t error,
                         int64_t high_watermark, int64_t log_start_offset,
                         apr_size_t bytes)
{
    int changed = bytes > 0 || error != KAFKA_NONE ||
                  entry->sent_high_watermark != high_watermark ||
                  entry->sent_log_start != log_start_offset;

    /* After an error the next answer must come, whatever it says. */
    entry->sent_high_watermark = error == KAFKA_NONE ? high_watermark : -1;
    entry->sent_log_start = log_start_offset;
    return changed;
}

int fetch_context_must_answer(fetch_sessions_t *sessions,
                              fetch_context_t *context,
                              const fetch_item_t *item, int16_t error,
                              int64_t high_watermark, int64_t log_start_offset,
                              apr_size_t bytes)
{
    fetch_session_t *session = context->session;
    fetch_entry_t *entry = item->entry;
    int must = 1;

    if (!session)
        return 1;
    apr_thread_mutex_lock(sessions->mutex);
    /* Where another request of this session came between, the entry may be
     * gone, and the answer is for nobody. */
    if (session->epoch == context->epoch) {
        must = entry_changed(entry, error, high_watermark, log_start_offset,
                             bytes) || !context->incremental;
        if (context->incremental && bytes > 0) {
            /* Who was served goes to the end, so that no one starves. */
            APR_RING_REMOVE(entry, link);
            APR_RING_INSERT_TAIL(&session->entries, entry, fetch_entry_t,
                                 link);
        }
    }
    apr_thread_mutex_unlock(sessions->mutex);
    return must;
}

void fetch_context_close(fetch_sessions_t *sessions, fetch_context_t *context)
{
    if (!context->session)
        return;
    apr_thread_mutex_lock(sessions->mutex);
    session_release(context->session);
    apr_thread_mutex_unlock(sessions->mutex);
    context->session = NULL;
}
