/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From appended records to the listener's calls: each topic and each resource
 * once, however many records spoke of it.
 */
#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "metadata/metadata_private.h"
#include "protocol/config_record.h"
#include "protocol/partition_change_record.h"
#include "protocol/partition_record.h"
#include "protocol/remove_topic_record.h"
#include "protocol/topic_record.h"

typedef struct {
    const metadata_listener_t *listener;
    const metadata_image_t *before;
    const metadata_image_t *after;
    apr_hash_t *topics; /* ids, and names of created ones */
    apr_hash_t *configs;
    int other;
    apr_pool_t *pool;
} announce_t;

/* Whether KEY comes for the first time. */
static int first_time(apr_hash_t *seen, const void *key, apr_ssize_t length)
{
    if (apr_hash_get(seen, key, length))
        return 0;
    apr_hash_set(seen, key, length, seen);
    return 1;
}

static void created(announce_t *a, const topic_record_t *record)
{
    const image_topic_t *topic = image_topic_by_id(a->after, &record->topic_id);

    first_time(a->topics, record->topic_id.bytes,
               sizeof(record->topic_id.bytes));
    if (topic && a->listener->topic_created)
        a->listener->topic_created(a->listener->baton, a->after, topic);
}

static void changed(announce_t *a, const wire_uuid_t *id)
{
    const image_topic_t *before = image_topic_by_id(a->before, id);
    const image_topic_t *after = image_topic_by_id(a->after, id);

    if (!before || !after || !a->listener->topic_changed ||
        !first_time(a->topics, id->bytes, sizeof(id->bytes)))
        return;
    a->listener->topic_changed(a->listener->baton, a->after, before, after);
}

static void announce_first(announce_t *a, const metadata_record_t *record)
{
    switch (record->key) {
    case RECORD_TOPIC:
        created(a, record->body);
        break;
    case RECORD_PARTITION:
        changed(a, &((const partition_record_t *)record->body)->topic_id);
        break;
    case RECORD_PARTITION_CHANGE:
        changed(a,
                &((const partition_change_record_t *)record->body)->topic_id);
        break;
    default:
        break;
    }
}

static void deleted(announce_t *a, const remove_topic_record_t *record)
{
    const image_topic_t *topic =
        image_topic_by_id(a->before, &record->topic_id);

    if (topic && a->listener->topic_deleted)
        a->listener->topic_deleted(a->listener->baton, a->after, topic);
}

/* Whether the topic NAME is on one side only: being created, or deleted. */
static int comes_or_goes(const announce_t *a, wire_string_t name)
{
    apr_size_t length = (apr_size_t)name.length;

    return !image_topic(a->before, name.data, length) ||
           !image_topic(a->after, name.data, length);
}

static void config_changed(announce_t *a, const config_record_t *record)
{
    const char *key;

    if (!a->listener->config_changed ||
        (record->resource_type == CONFIG_TOPIC &&
         comes_or_goes(a, record->resource_name)))
        return;
    key = apr_psprintf(a->pool, "%d %s", (int)record->resource_type,
                       wire_string_dup(record->resource_name, a->pool));
    if (first_time(a->configs, key, APR_HASH_KEY_STRING))
        a->listener->config_changed(a->listener->baton, a->after,
                                    record->resource_type,
                                    strchr(key, ' ') + 1);
}

static int other_kind(int16_t key)
{
    switch (key) {
    case RECORD_CLIENT_QUOTA:
        return METADATA_QUOTAS;
    case RECORD_USER_SCRAM:
    case RECORD_REMOVE_USER_SCRAM:
        return METADATA_SCRAM;
    case RECORD_ACL:
    case RECORD_REMOVE_ACL:
        return METADATA_ACLS;
    case RECORD_FEATURE_LEVEL:
        return METADATA_FEATURES;
    case RECORD_REGISTER_BROKER:
    case RECORD_BROKER_CHANGE:
    case RECORD_FENCE_BROKER:
    case RECORD_UNFENCE_BROKER:
    case RECORD_UNREGISTER_BROKER:
        return METADATA_BROKERS;
    case RECORD_DELEGATION_TOKEN:
    case RECORD_REMOVE_TOKEN:
        return METADATA_TOKENS;
    default:
        return 0;
    }
}

static void announce_then(announce_t *a, const metadata_record_t *record)
{
    if (record->key == RECORD_REMOVE_TOPIC)
        deleted(a, record->body);
    else if (record->key == RECORD_CONFIG)
        config_changed(a, record->body);
    else
        a->other |= other_kind(record->key);
}

void metadata_announce(metadata_t *metadata, const metadata_record_t *records,
                       int count, const metadata_image_t *before,
                       const metadata_image_t *after, int before_visible,
                       apr_pool_t *pool)
{
    announce_t a = {&metadata->listener, before, after, apr_hash_make(pool),
                    apr_hash_make(pool), 0,      pool};

    for (int i = 0; i < count; i++) {
        if (before_visible)
            announce_first(&a, &records[i]);
        else
            announce_then(&a, &records[i]);
    }
    if (a.other && a.listener->other_changed)
        a.listener->other_changed(a.listener->baton, after, a.other);
}
