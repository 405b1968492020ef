/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the crash tests share: a broker's storage and metadata without its
 * network (a station), a history of what was sent to it and what it promised,
 * and a check that what lies on a disk keeps the promises.
 *
 * A record's key and value say where it belongs: topic, partition, offset. The
 * history's clock is the number of events that the disk has recorded.
 */
#ifndef TAKHIN_TEST_CRASH_STATION_H
#define TAKHIN_TEST_CRASH_STATION_H

#include <apr_strings.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "disk.h"
#include "metadata/metadata.h"
#include "record/builder.h"
#include "storage/log_dir.h"
#include "storage/topics.h"
#include "unit.h"

/* ---- a station -------------------------------------------------------------- */

typedef struct {
    const char *path;          /* its log directory */
    apr_pool_t *pool;
    log_dir_t *dir;
    metadata_t *metadata;
    topics_t *topics;
    int registered;
} station_t;

static inline void station_log_config(const char *topic, log_config_t *config)
{
    log_config_init(config);
    config->segment_bytes = 2000;
    config->index_interval_bytes = 250;
    config->retention_ms = -1;
    config->file_delete_delay_ms = 3600000; /* they go at the stop */
    if (strcmp(topic, "kept") == 0)
        config->retention_bytes = 4000;
    if (strcmp(topic, "compact") == 0) {
        config->compact = 1;
        config->delete = 0;
        config->min_cleanable_dirty_ratio = 0.01;
    }
}

static inline void station_created(void *baton, const metadata_image_t *image,
                                   const image_topic_t *topic)
{
    station_t *station = baton;
    topic_spec_t spec = {image_topic_name(topic), *image_topic_id(topic),
                         image_topic_partition_count(topic), {0}};

    (void)image;
    station_log_config(spec.name, &spec.config);
    /* As in the broker: it is offline then, and appends say so. */
    (void)topics_add(station->topics, &spec);
}

static inline void station_changed(void *baton, const metadata_image_t *image,
                                   const image_topic_t *before,
                                   const image_topic_t *topic)
{
    station_t *station = baton;

    (void)image;
    (void)before;
    (void)topics_grow(station->topics, image_topic_name(topic),
                      image_topic_partition_count(topic));
}

static inline void station_deleted(void *baton, const metadata_image_t *image,
                                   const image_topic_t *topic)
{
    station_t *station = baton;

    (void)image;
    (void)topics_delete(station->topics, image_topic_id(topic));
}

typedef struct {
    topic_spec_t specs[16];
    int count;
} station_specs_t;

static inline apr_status_t station_spec(void *baton,
                                        const image_topic_t *topic)
{
    station_specs_t *specs = baton;
    topic_spec_t *spec = &specs->specs[specs->count++];

    spec->name = image_topic_name(topic);
    spec->id = *image_topic_id(topic);
    spec->partition_count = image_topic_partition_count(topic);
    station_log_config(spec->name, &spec->config);
    return APR_SUCCESS;
}

static inline apr_status_t station_load(station_t *station)
{
    topics_options_t options = {&station->dir, 1, 1, 1};
    const metadata_image_t *image = metadata_image(station->metadata);
    station_specs_t specs = {.count = 0};
    apr_status_t status = topics_create(&station->topics, &options,
                                        station->pool);

    image_each_topic(image, station_spec, &specs);
    if (status == APR_SUCCESS)
        status = topics_load(station->topics, specs.specs, specs.count);
    image_release(image);
    return status;
}

static inline apr_status_t station_open_metadata(station_t *station)
{
    metadata_config_t config;
    const char *error;

    metadata_config_init(&config);
    config.node_id = 1;
    config.metadata_log_dir = station->path;
    config.log_dirs = &station->path;
    config.log_dir_count = 1;
    config.segment_bytes = 3000;
    return metadata_open(&station->metadata, &config, station->dir,
                         station->pool, &error);
}

static inline apr_status_t station_lead(station_t *station)
{
    static const image_endpoint_t endpoint = {"PLAINTEXT", "localhost", 9092,
                                              0};
    metadata_listener_t listener = {.baton = station,
                                    .topic_created = station_created,
                                    .topic_changed = station_changed,
                                    .topic_deleted = station_deleted};
    apr_status_t status;

    metadata_listen(station->metadata, &listener);
    status = metadata_start(station->metadata, &endpoint, 1, NULL);
    if (status != APR_SUCCESS)
        return status;
    station->registered = 1;
    return metadata_unfence(station->metadata);
}

/* Stops as the broker does, with what there is of it. CLEAN 0 is a kill. */
static inline apr_status_t station_stop(station_t *station, int clean)
{
    apr_status_t first = APR_SUCCESS, status = APR_SUCCESS;
    int64_t epoch = -2;

    if (station->pool == NULL)
        return APR_EGENERAL;
    if (!clean && station->dir != NULL)
        log_dir_fail(station->dir, APR_EGENERAL, "the test's kill");
    if (clean && station->registered) {
        epoch = metadata_broker_epoch(station->metadata);
        first = metadata_stop(station->metadata);
    }
    if (station->topics != NULL)
        status = topics_close(station->topics);
    first = first ? first : status;
    if (station->metadata != NULL)
        metadata_close(station->metadata);
    if (station->dir != NULL)
        status = log_dir_close(station->dir, epoch);
    first = first ? first : status;
    apr_pool_destroy(station->pool);
    memset(station, 0, sizeof(*station));
    return first;
}

/* Starts on PATH in the broker's order. No flusher: flushes are the test's. */
static inline apr_status_t station_start(station_t *station, const char *path)
{
    log_dir_options_t options;
    apr_status_t status;
    const char *error;

    memset(station, 0, sizeof(*station));
    status = apr_pool_create(&station->pool, NULL);
    if (status != APR_SUCCESS)
        return status;
    station->path = apr_pstrdup(station->pool, path);
    log_dir_options_init(&options);
    options.flush_threads = 0;
    options.checkpoint_ms = options.retention_check_ms = 3600000;
    status = log_dir_open(&station->dir, path, &options, station->pool,
                          &error);
    if (status == APR_SUCCESS)
        status = station_open_metadata(station);
    if (status == APR_SUCCESS)
        status = station_load(station);
    if (status == APR_SUCCESS)
        status = log_dir_start(station->dir);
    if (status == APR_SUCCESS)
        status = station_lead(station);
    if (status != APR_SUCCESS)
        (void)station_stop(station, 1); /* as the broker does */
    return status;
}

/* ---- a history --------------------------------------------------------------- */

enum { MARKS = 512, LOGS = 4, BATCHES = 256, TOPICS = 12, ABORTS = 16 };

/* What held from which moment on: the last one at or before a moment. */
typedef struct {
    int64_t at[MARKS];
    int64_t value[MARKS];
    int count;
} marks_t;

static inline void mark(marks_t *marks, int64_t at, int64_t value)
{
    if (marks->count > 0 && marks->value[marks->count - 1] == value)
        return;
    if (marks->count == MARKS)
        abort();
    marks->at[marks->count] = at;
    marks->value[marks->count++] = value;
}

static inline int64_t marked(const marks_t *marks, int64_t at,
                             int64_t otherwise)
{
    int i = marks->count;

    while (i > 0 && marks->at[i - 1] > at)
        i--;
    return i > 0 ? marks->value[i - 1] : otherwise;
}

typedef struct {
    int64_t producer_id;       /* -1: none */
    int32_t sequence;
    int records;
    int64_t base_offset;
    int transactional;
} sent_batch_t;

typedef struct {
    int64_t producer_id;
    int64_t first_offset;
    int64_t marker;            /* NEVER: not asked for */
    int appended;              /* it was answered well */
} abort_t;

typedef struct {
    marks_t sent;              /* end offset of what was ever sent */
    marks_t acked;             /* end offset of what was acknowledged */
    marks_t start;             /* the log start offset is not above */
    sent_batch_t batches[BATCHES];
    int batch_count;
    abort_t aborts[ABORTS];
    int abort_count;
    int32_t sequence;          /* the idempotent producer's next */
    int32_t txn_sequence;
} log_history_t;

#define NEVER INT64_MAX

typedef struct {
    char name[16];
    wire_uuid_t id;
    int known_id;
    int64_t creating, created, deleting, deleted; /* when */
    marks_t partitions_asked, partitions;
    log_history_t *logs[LOGS];
} topic_history_t;

typedef struct {
    topic_history_t *topics[TOPICS];
    int count;
} history_t;

static inline topic_history_t *history_add(history_t *history,
                                           const char *name)
{
    topic_history_t *topic = calloc(1, sizeof(*topic));
    int i;

    if (history->count == TOPICS)
        abort();
    strcpy(topic->name, name);
    topic->creating = topic->created = topic->deleting = topic->deleted =
        NEVER;
    for (i = 0; i < LOGS; i++)
        topic->logs[i] = calloc(1, sizeof(log_history_t));
    history->topics[history->count++] = topic;
    return topic;
}

/* The latest topic of that name. */
static inline topic_history_t *history_topic(const history_t *history,
                                             const char *name)
{
    int i = history->count;

    while (i-- > 0)
        if (strcmp(history->topics[i]->name, name) == 0)
            return history->topics[i];
    return NULL;
}

static inline int history_index(const history_t *history,
                                const topic_history_t *topic)
{
    int i = 0;

    while (history->topics[i] != topic)
        i++;
    return i;
}

static inline void history_free(history_t *history)
{
    while (history->count > 0) {
        topic_history_t *topic = history->topics[--history->count];
        int i;

        for (i = 0; i < LOGS; i++)
            free(topic->logs[i]);
        free(topic);
    }
}

/* ---- records ------------------------------------------------------------------ */

/* What the record at OFFSET holds; returns how long it is. */
static inline int record_text(char *text, int topic, int partition,
                              int64_t offset)
{
    int length = 40 + (int)((unsigned)(offset * 7919 + partition * 31 + topic)
                            % 200);
    int i, head = sprintf(text, "%d/%d/%lld:", topic, partition,
                          (long long)offset);

    for (i = head; i < length; i++)
        text[i] = (char)('a' + (offset * 13 + i * 7) % 26);
    text[length] = '\0';
    return length;
}

enum { KEYS = 5 };

static inline uint8_t record_key(int64_t offset)
{
    return (uint8_t)((uint64_t)offset * 7919 / 3 % KEYS);
}

static inline int64_t record_time(int64_t offset)
{
    static int64_t began;

    if (began == 0)
        began = clock_wall_ms() - 3600000;
    return began + offset;
}

typedef struct {
    int topic;
    int partition;
    int64_t offset;
    int records;
    int64_t producer_id;
    int32_t sequence;
    int transactional;
    int marker;                /* 1: aborts, 2: commits */
} batch_plan_t;

static inline void batch_build(const batch_plan_t *plan,
                               record_builder_t *builder, uint8_t **data,
                               size_t *length)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    char text[256];
    int i;

    options.producer_id = plan->producer_id;
    options.producer_epoch = plan->producer_id >= 0 ? 0 : -1;
    options.base_sequence = plan->producer_id >= 0 ? plan->sequence : -1;
    options.transactional = (unsigned)plan->transactional;
    options.control = plan->marker != 0;
    UNIT_OK(record_builder_begin(builder, &options));
    for (i = 0; i < plan->records; i++) {
        record_t record = {0};
        uint8_t key = record_key(plan->offset + i);

        record.timestamp = record_time(plan->offset + i);
        record.key = &key;
        record.key_length = 1;
        record.value = (const uint8_t *)text;
        record.value_length = record_text(text, plan->topic, plan->partition,
                                          plan->offset + i);
        UNIT_OK(record_builder_append(builder, &record));
    }
    if (plan->marker)
        UNIT_OK(record_builder_append_end_marker(
            builder, plan->marker == 2, 0, record_time(plan->offset)));
    UNIT_OK(record_builder_finish(builder, data, length));
}

static inline apr_status_t batch_append(partition_t *partition,
                                        const batch_plan_t *plan,
                                        append_result_t *result)
{
    record_builder_t builder = {0};
    record_batch_t batch;
    uint8_t *data;
    size_t length;
    apr_status_t status;

    batch_build(plan, &builder, &data, &length);
    status = record_batch_parse(&batch, data, length);
    if (status == APR_SUCCESS)
        status = partition_append(partition, data, length, &batch,
                                  plan->marker ? APPEND_COORDINATOR
                                               : APPEND_CLIENT, result);
    record_builder_free(&builder);
    return status;
}

/* ---- the check -------------------------------------------------------------------- */

typedef struct {
    const history_t *history;
    int64_t at;
    apr_pool_t *pool;
    int compacted;             /* the log being read has holes */
    int64_t newest[KEYS];      /* and of each key this offset, -1 none */
    char error[512];           /* "": none */
} check_t;

#define CHECK_FAIL(check, ...)                                             \
    do {                                                                   \
        snprintf((check)->error, sizeof((check)->error), __VA_ARGS__);     \
        return;                                                            \
    } while (0)

/* A batch that lies at NEXT or, where records may be gone, behind it. */
static inline void check_batch(check_t *check, int topic, int index,
                               const record_batch_t *batch,
                               const uint8_t *data, int64_t sent,
                               int64_t *next)
{
    record_iterator_t iterator;
    record_t record;
    char text[256];

    if (record_batch_verify_crc(batch, data) != APR_SUCCESS)
        CHECK_FAIL(check, "%d/%d: a batch at %lld has a wrong CRC", topic,
                   index, (long long)batch->base_offset);
    if (record_iterator_init(&iterator, batch, data, NULL, 0) != APR_SUCCESS)
        CHECK_FAIL(check, "%d/%d: a batch cannot be read", topic, index);
    while (record_iterator_next(&iterator, &record) == APR_SUCCESS) {
        int length = record_text(text, topic, index, record.offset);

        if (check->compacted && record.offset > *next)
            *next = record.offset;
        if (record.offset != *next)
            CHECK_FAIL(check, "%d/%d: offset %lld follows %lld", topic, index,
                       (long long)record.offset, (long long)*next - 1);
        if (record.offset >= sent)
            CHECK_FAIL(check, "%d/%d: offset %lld was never sent", topic,
                       index, (long long)record.offset);
        if (!record_batch_is_control(batch) &&
            (record.value_length != length ||
             memcmp(record.value, text, (size_t)length) != 0))
            CHECK_FAIL(check, "%d/%d: offset %lld holds %.*s", topic, index,
                       (long long)record.offset, 12,
                       (const char *)record.value);
        if (record.key_length == 1)
            check->newest[*record.key % KEYS] = record.offset;
        ++*next;
    }
    if (check->compacted)
        *next = record_batch_next_offset(batch);
    if (*next != record_batch_next_offset(batch))
        CHECK_FAIL(check, "%d/%d: a batch ends at %lld instead of %lld", topic,
                   index, (long long)*next,
                   (long long)record_batch_next_offset(batch));
}

/* Every record of LOG from its start to its end, in order, once. Below
 * GONE there may be holes: what was deleted there may be half back. */
static inline void check_records(check_t *check, int topic, int index,
                                 log_t *log, int64_t sent, int64_t gone)
{
    int64_t start = log_start_offset(log), end = log_end_offset(log);
    int64_t next = start;
    log_config_t config;

    log_config(log, &config);
    check->compacted = config.compact;
    memset(check->newest, -1, sizeof(check->newest));
    while (next < end) {
        apr_size_t length, at = 0;
        uint8_t *data;
        apr_status_t status = log_read(log, next, end, 100000, &data, &length,
                                       check->pool);

        if (status != APR_SUCCESS || length == 0)
            CHECK_FAIL(check, "%d/%d: reading %lld of %lld: %d, %lu bytes",
                       topic, index, (long long)next, (long long)end, status,
                       (unsigned long)length);
        while (at < length) {
            record_batch_t batch;

            if (record_batch_parse(&batch, data + at, length - at) !=
                APR_SUCCESS)
                CHECK_FAIL(check, "%d/%d: no batch at %lld", topic, index,
                           (long long)next);
            if (batch.base_offset < next ? next == start
                                         : batch.base_offset <= gone ||
                                               check->compacted)
                next = batch.base_offset; /* the first may begin below */
            check_batch(check, topic, index, &batch, data + at, sent, &next);
            if (check->error[0])
                return;
            at += record_batch_size(&batch);
        }
    }
    if (next != end)
        CHECK_FAIL(check, "%d/%d: records end at %lld, the log at %lld", topic,
                   index, (long long)next, (long long)end);
}

/* Of each key the newest record that was acknowledged, or a newer one. */
static inline void check_newest(check_t *check, int topic, int index,
                                int64_t acked)
{
    int64_t offset;

    for (offset = 0; check->compacted && offset < acked; offset++)
        if (check->newest[record_key(offset)] < offset)
            CHECK_FAIL(check, "%d/%d: key %d was acknowledged at %lld, found "
                       "at %lld", topic, index, record_key(offset),
                       (long long)offset,
                       (long long)check->newest[record_key(offset)]);
}

static inline void check_aborts(check_t *check, int topic, int index,
                                const log_history_t *history, log_t *log)
{
    int64_t start = log_start_offset(log), end = log_end_offset(log);
    log_aborted_t *aborted;
    int i, j, count;

    for (i = 0; i < history->abort_count; i++) {
        const abort_t *wanted = &history->aborts[i];

        if (wanted->first_offset < start || wanted->first_offset >= end)
            continue;
        if (wanted->marker >= end ||
            (!wanted->appended &&
             log_last_stable_offset(log) <= wanted->first_offset)) {
            if (log_last_stable_offset(log) > wanted->first_offset)
                CHECK_FAIL(check, "%d/%d: the open transaction at %lld is "
                           "stable", topic, index,
                           (long long)wanted->first_offset);
            continue;
        }
        if (log_aborted_transactions(log, start, end, &aborted, &count,
                                     check->pool) != APR_SUCCESS)
            CHECK_FAIL(check, "%d/%d: no aborted transactions", topic, index);
        for (j = 0; j < count; j++)
            if (aborted[j].producer_id == wanted->producer_id &&
                aborted[j].first_offset == wanted->first_offset)
                break;
        if (j == count)
            CHECK_FAIL(check, "%d/%d: the transaction aborted at %lld would "
                       "be read", topic, index,
                       (long long)wanted->first_offset);
    }
}

/* The last batch of a producer that is there is known when it comes again, and
 * the one that follows it is taken. */
static inline void check_producer(check_t *check, int topic, int index,
                                  const log_history_t *history,
                                  partition_t *partition)
{
    log_t *log = partition_log(partition);
    int64_t start = log_start_offset(log), end = log_end_offset(log);
    const sent_batch_t *last = NULL;
    append_result_t result;
    batch_plan_t plan = {topic, index, 0, 0, 0, 0, 0, 0};
    apr_status_t status;
    int i;

    for (i = 0; i < history->batch_count; i++) {
        const sent_batch_t *batch = &history->batches[i];

        if (batch->producer_id >= 0 && !batch->transactional &&
            batch->base_offset >= start &&
            batch->base_offset + batch->records <= end)
            last = batch;
    }
    if (last == NULL)
        return;
    plan.offset = last->base_offset;
    plan.records = last->records;
    plan.producer_id = last->producer_id;
    plan.sequence = last->sequence;
    status = batch_append(partition, &plan, &result);
    if (status != APR_SUCCESS || !result.duplicate ||
        result.base_offset != last->base_offset)
        CHECK_FAIL(check, "%d/%d: a duplicate of %lld: %d, %s at %lld", topic,
                   index, (long long)last->base_offset, status,
                   result.duplicate ? "known" : "taken",
                   (long long)result.base_offset);
    plan.sequence += last->records + 1;
    plan.offset = end;
    plan.records = 1;
    status = batch_append(partition, &plan, &result);
    if (status != TAKHIN_EOUT_OF_ORDER)
        CHECK_FAIL(check, "%d/%d: a gap behind %lld: %d", topic, index,
                   (long long)last->base_offset, status);
    plan.sequence--;
    status = batch_append(partition, &plan, &result);
    if (status != APR_SUCCESS || result.duplicate || result.base_offset != end)
        CHECK_FAIL(check, "%d/%d: what follows %lld: %d", topic, index,
                   (long long)last->base_offset, status);
}

static inline void check_log(check_t *check, int topic, int index,
                             partition_t *partition)
{
    const log_history_t *history = check->history->topics[topic]->logs[index];
    log_t *log = partition_log(partition);
    int64_t acked = marked(&history->acked, check->at, 0);
    int64_t sent = marked(&history->sent, check->at, 0);
    int64_t gone = marked(&history->start, check->at, 0);
    batch_plan_t plan = {topic, index, 0, 2, -1, -1, 0, 0};
    append_result_t result;
    apr_status_t status;

    if (log_end_offset(log) < acked)
        CHECK_FAIL(check, "%d/%d: ends at %lld, acknowledged are %lld", topic,
                   index, (long long)log_end_offset(log), (long long)acked);
    if (log_start_offset(log) > gone)
        CHECK_FAIL(check, "%d/%d: begins at %lld, deleted is up to %lld",
                   topic, index, (long long)log_start_offset(log),
                   (long long)gone);
    check_records(check, topic, index, log, sent, gone);
    if (!check->error[0])
        check_newest(check, topic, index, acked);
    if (!check->error[0])
        check_aborts(check, topic, index, history, log);
    if (!check->error[0])
        check_producer(check, topic, index, history, partition);
    if (check->error[0])
        return;
    plan.offset = log_end_offset(log);
    status = batch_append(partition, &plan, &result);
    if (status != APR_SUCCESS || result.base_offset != plan.offset)
        CHECK_FAIL(check, "%d/%d: appending: %d", topic, index, status);
    status = log_flush(log);
    if (status != APR_SUCCESS)
        CHECK_FAIL(check, "%d/%d: flushing: %d", topic, index, status);
    check_records(check, topic, index, log, INT64_MAX, gone);
}

static inline void check_topic(check_t *check, station_t *station, int topic)
{
    const topic_history_t *history = check->history->topics[topic];
    const metadata_image_t *image = metadata_image(station->metadata);
    const image_topic_t *found = image_topic(image, history->name,
                                             strlen(history->name));
    int exists = found != NULL && history->known_id &&
                 wire_uuid_equal(image_topic_id(found), &history->id);
    int i, count = exists ? image_topic_partition_count(found) : 0;

    image_release(image);
    if (!exists && history->created <= check->at &&
        history->deleting > check->at)
        CHECK_FAIL(check, "topic %s, acknowledged, is not there",
                   history->name);
    if (exists && (history->creating > check->at ||
                   history->deleted <= check->at))
        CHECK_FAIL(check, "topic %s should not be there", history->name);
    if (exists &&
        (count < marked(&history->partitions, check->at, 0) ||
         count > marked(&history->partitions_asked, check->at, 0)))
        CHECK_FAIL(check, "topic %s has %d partitions", history->name, count);
    for (i = 0; i < count && !check->error[0]; i++) {
        partition_t *partition;
        apr_status_t status = topics_find(station->topics, history->name,
                                          strlen(history->name), i,
                                          &partition);

        if (status != APR_SUCCESS)
            CHECK_FAIL(check, "%s-%d is not online: %d", history->name, i,
                       status);
        check_log(check, topic, i, partition);
        partition_release(partition);
    }
}

/* What is there must be all of it, whole, after a clean stop. */
static inline void check_again(check_t *check, const char *path)
{
    station_t station;
    topic_t *topic;
    int i, j;
    apr_status_t status = station_start(&station, path);

    if (status != APR_SUCCESS)
        CHECK_FAIL(check, "the start after the clean stop: %d", status);
    if (!log_dir_was_clean(station.dir))
        snprintf(check->error, sizeof(check->error), "the stop was not clean");
    for (i = 0; i < check->history->count && !check->error[0]; i++) {
        const topic_history_t *history = check->history->topics[i];

        if (topics_get_id(station.topics, &history->id, &topic) != APR_SUCCESS)
            continue; /* what must be there was there before the stop */
        for (j = 0; j < topic_partition_count(topic); j++) {
            partition_t *partition;

            if (topic_partition(topic, j, &partition) != APR_SUCCESS) {
                snprintf(check->error, sizeof(check->error),
                         "%s-%d is offline the second time", history->name, j);
                break;
            }
            check_records(check, i, j, partition_log(partition), INT64_MAX,
                          marked(&history->logs[j]->start, check->at, 0));
            partition_release(partition);
        }
        topic_release(topic);
    }
    (void)station_stop(&station, 0); /* a kill is never well */
}

/*
 * Starts on PATH as a crash at moment AT left it, and looks whether every
 * promise is kept; with AGAIN also after a clean stop. NULL, or what is wrong,
 * from unit_pool.
 */
static inline const char *station_check(const history_t *history, int64_t at,
                                        const char *path, int again)
{
    check_t check = {.history = history, .at = at};
    station_t station;
    apr_status_t status;
    const char *error;
    int i;

    apr_pool_create(&check.pool, NULL);
    status = station_start(&station, path);
    if (status != APR_SUCCESS) {
        snprintf(check.error, sizeof(check.error), "the start failed: %d",
                 status);
    } else {
        for (i = 0; i < history->count && !check.error[0]; i++)
            check_topic(&check, &station, i);
        status = station_stop(&station, again);
        if (again && status != APR_SUCCESS && !check.error[0])
            snprintf(check.error, sizeof(check.error), "the stop failed: %d",
                     status);
        if (again && !check.error[0])
            check_again(&check, path);
    }
    apr_pool_destroy(check.pool);
    error = check.error[0] ? apr_pstrdup(unit_pool(), check.error) : NULL;
    return error;
}

#endif
