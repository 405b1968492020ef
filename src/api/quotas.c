/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotas by Kafka's arithmetic: a rate over the last quota.window.num samples
 * of quota.window.size.seconds each. A bucket is who shares one quota; one that
 * has been silent for all samples is as good as new, and is dropped then.
 */
#include "api/quotas.h"

#include <apr_hash.h>
#include <apr_thread_mutex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/clock.h"

enum { BUCKETS = 256, SWEEP_EVERY = 1024 };

typedef struct {
    int64_t start; /* ms, monotonic; 0: not used yet */
    double value;
} sample_t;

typedef struct bucket_t bucket_t;
struct bucket_t {
    bucket_t *next;
    quota_type_t type;
    int64_t used; /* ms */
    int current;
    sample_t *samples; /* behind the key */
    apr_size_t key_length;
    char key[]; /* user, NUL, client, NUL */
};

struct quotas_t {
    metadata_t *metadata;
    int samples;
    int64_t window; /* ms, of a sample */
    atomic_u32_t enabled;
    apr_thread_mutex_t *mutex; /* the buckets; a leaf */
    bucket_t *buckets[BUCKETS];
    unsigned added; /* since the last sweep */
};

apr_status_t quotas_create(quotas_t **quotas, const config_t *config,
                           metadata_t *metadata, apr_pool_t *pool)
{
    quotas_t *made = apr_pcalloc(pool, sizeof *made);

    made->metadata = metadata;
    made->samples = config_int(config, CONFIG_QUOTA_WINDOW_NUM);
    made->window =
        1000 * (int64_t)config_int(config, CONFIG_QUOTA_WINDOW_SIZE_SECONDS);
    *quotas = made;
    return apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT,
                                   pool);
}

void quotas_destroy(quotas_t *quotas)
{
    for (int i = 0; i < BUCKETS; i++)
        while (quotas->buckets[i]) {
            bucket_t *bucket = quotas->buckets[i];

            quotas->buckets[i] = bucket->next;
            free(bucket);
        }
}

static apr_status_t found_one(void *baton, const image_quota_t *quota)
{
    (void)baton;
    return quota->value_count > 0 ? APR_EEXIST : APR_SUCCESS;
}

void quotas_changed(quotas_t *quotas, const metadata_image_t *image)
{
    atomic_set32(&quotas->enabled,
                 image_each_quota(image, found_one, NULL) != APR_SUCCESS);
}

int quotas_enabled(const quotas_t *quotas)
{
    return atomic_get32(&quotas->enabled) != 0;
}

/* ---- which quota ------------------------------------------------------------ */

static const char *const keys[QUOTA_TYPES] = {
    "producer_byte_rate", "consumer_byte_rate", "request_percentage"};

static int value_of(const image_quota_t *quota, const char *key, double *value)
{
    for (int i = 0; quota && i < quota->value_count; i++)
        if (!strcmp(quota->values[i].key, key)) {
            *value = quota->values[i].value;
            return 1;
        }
    return 0;
}

/* The quota of exactly that user and client. NULL: that part is not named; "":
 * the default entity. */
static int own_limit(const metadata_image_t *image, const char *key,
                     const char *user, const char *client, double *limit)
{
    image_quota_entity_t entity[2];
    int count = 0;

    if (user) {
        entity[count].type = "user";
        entity[count++].name = *user ? user : NULL;
    }
    if (client) {
        entity[count].type = "client-id";
        entity[count++].name = *client ? client : NULL;
    }
    return value_of(image_quota(image, entity, count), key, limit);
}

/* The order of precedence (KIP-55). Sets what the quota is counted by: the
 * user, the client or both. */
static int find_limit(const metadata_image_t *image, const char *key,
                      const char **user, const char **client, double *limit)
{
    enum { OWN, DEFAULT, NONE };
    static const struct {
        int user, client;
    } order[] = {{OWN, OWN},     {OWN, DEFAULT},     {OWN, NONE},
                 {DEFAULT, OWN}, {DEFAULT, DEFAULT}, {DEFAULT, NONE},
                 {NONE, OWN},    {NONE, DEFAULT}};

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        int u = order[i].user, c = order[i].client;

        if ((c == OWN && !**client) || !own_limit(image, key,
                                                  u == NONE  ? NULL
                                                  : u == OWN ? *user
                                                             : "",
                                                  c == NONE  ? NULL
                                                  : c == OWN ? *client
                                                             : "",
                                                  limit))
            continue;
        if (u == NONE)
            *user = "";
        if (c == NONE)
            *client = "";
        return 1;
    }
    return 0;
}

/* ---- buckets; the mutex is held ---------------------------------------------- */

static int is_idle(const quotas_t *quotas, const bucket_t *bucket, int64_t now)
{
    return now - bucket->used > quotas->samples * quotas->window;
}

static void sweep(quotas_t *quotas, int64_t now)
{
    for (int i = 0; i < BUCKETS; i++)
        for (bucket_t **at = &quotas->buckets[i]; *at;) {
            bucket_t *bucket = *at;

            if (!is_idle(quotas, bucket, now)) {
                at = &bucket->next;
                continue;
            }
            *at = bucket->next;
            free(bucket);
        }
    quotas->added = 0;
}

static bucket_t *make_bucket(quotas_t *quotas, bucket_t **head,
                             quota_type_t type, const char *user,
                             const char *client, int64_t now)
{
    apr_size_t user_length = strlen(user) + 1;
    apr_size_t length = user_length + strlen(client) + 1;
    apr_size_t room = APR_ALIGN_DEFAULT(sizeof(bucket_t) + length);
    bucket_t *bucket = calloc(1, room + quotas->samples * sizeof(sample_t));

    if (!bucket)
        return NULL; /* then this once nothing is counted */
    bucket->samples = (sample_t *)((char *)bucket + room);
    bucket->samples[0].start = now;
    bucket->type = type;
    bucket->key_length = length;
    memcpy(bucket->key, user, user_length);
    memcpy(bucket->key + user_length, client, length - user_length);
    bucket->next = *head;
    *head = bucket;
    return bucket;
}

static bucket_t *find_bucket(quotas_t *quotas, quota_type_t type,
                             const char *user, const char *client, int64_t now)
{
    apr_size_t user_length = strlen(user) + 1;
    apr_size_t length = user_length + strlen(client) + 1;
    apr_ssize_t parts[] = {(apr_ssize_t)user_length,
                           (apr_ssize_t)(length - user_length)};
    unsigned hash = apr_hashfunc_default(user, &parts[0]) * 31 +
                    apr_hashfunc_default(client, &parts[1]) + type;
    bucket_t **head = &quotas->buckets[hash % BUCKETS], *bucket;

    for (bucket = *head; bucket; bucket = bucket->next)
        if (bucket->type == type && bucket->key_length == length &&
            !strcmp(bucket->key, user) &&
            !strcmp(bucket->key + user_length, client))
            break;
    if (!bucket) {
        if (++quotas->added >= SWEEP_EVERY)
            sweep(quotas, now);
        bucket = make_bucket(quotas, head, type, user, client, now);
    }
    if (bucket)
        bucket->used = now;
    return bucket;
}

/* ---- the rate ----------------------------------------------------------------- */

static void add(const quotas_t *quotas, bucket_t *bucket, double value,
                int64_t now)
{
    sample_t *sample = &bucket->samples[bucket->current];

    if (now - sample->start >= quotas->window) {
        bucket->current = (bucket->current + 1) % quotas->samples;
        sample = &bucket->samples[bucket->current];
        sample->start = now;
        sample->value = 0;
    }
    sample->value += value;
}

/* Sets *SPAN to the milliseconds that are looked back, at least all whole
 * samples, and returns what was used a second. */
static double rate(const quotas_t *quotas, bucket_t *bucket, int64_t now,
                   double *span)
{
    double total = 0;
    int64_t oldest = now, elapsed, whole;

    for (int i = 0; i < quotas->samples; i++) {
        sample_t *sample = &bucket->samples[i];

        if (!sample->start ||
            now - sample->start >= quotas->samples * quotas->window)
            continue;
        total += sample->value;
        if (sample->start < oldest)
            oldest = sample->start;
    }
    elapsed = now - oldest;
    whole = elapsed / quotas->window;
    if (whole < quotas->samples - 1)
        elapsed += (quotas->samples - 1 - whole) * quotas->window;
    *span = elapsed > 0 ? (double)elapsed : 1;
    return total * 1000 / *span;
}

int32_t quotas_record(quotas_t *quotas, quota_type_t type, const char *user,
                      const char *client, double value, int take_back)
{
    const metadata_image_t *image = metadata_image(quotas->metadata);
    int64_t now = apr_time_as_msec(clock_monotonic()) + 1; /* 0 is "unused" */
    double limit, used, span, held = 0;
    bucket_t *bucket;

    if (find_limit(image, keys[type], &user, &client, &limit)) {
        apr_thread_mutex_lock(quotas->mutex);
        bucket = find_bucket(quotas, type, user, client, now);
        if (bucket) {
            add(quotas, bucket, value, now);
            used = rate(quotas, bucket, now, &span);
            if (used > limit)
                held = limit > 0 ? (used - limit) / limit * span : span;
            if (held > 0 && take_back)
                add(quotas, bucket, -value, now);
        }
        apr_thread_mutex_unlock(quotas->mutex);
    }
    image_release(image);
    if (type == QUOTA_REQUEST && held > (double)quotas->window)
        held = (double)quotas->window;
    return held >= INT32_MAX ? INT32_MAX : (int32_t)lround(held);
}

int64_t quotas_most(quotas_t *quotas, quota_type_t type, const char *user,
                    const char *client)
{
    const metadata_image_t *image = metadata_image(quotas->metadata);
    double limit, most = -1;

    if (find_limit(image, keys[type], &user, &client, &limit))
        most = limit * (quotas->samples - 1) * (double)quotas->window / 1000;
    image_release(image);
    return most >= (double)INT64_MAX ? INT64_MAX : (int64_t)most;
}
