/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random keyed workloads (plain, idempotent and transactional, every codec,
 * tombstones) that are compacted now and then, beside a model. Seeds are
 * fixed; TAKHIN_SEED tries another.
 */
#include "cleaner_util.h"

#define KEYS      30
#define MOST      20000
#define PRODUCERS 4
#define DAY_US    ((apr_time_t)24 * 3600 * 1000000)

typedef struct {
    const char *value; /* NULL: a tombstone */
    int key;           /* -1: no record */
    int producer;      /* of a transaction; -1 */
    int state;         /* 0 open, 1 committed, 2 aborted */
} original_t;

typedef struct {
    bench_t bench;
    const char *path;
    uint64_t random;
    original_t *records; /* by offset */
    int32_t sequence[PRODUCERS];
    int64_t began[PRODUCERS]; /* its open transaction, -1: none */
    int compactions;
} model_t;

static uint32_t next_random(model_t *model, uint32_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return (uint32_t)(model->random >> 33) % below;
}

static const char *key_name(int key)
{
    return apr_psprintf(unit_pool(), "key-%d", key);
}

static void note(model_t *model, int64_t offset, int key, const char *value,
                 int producer)
{
    original_t *original = &model->records[offset];

    original->key = key;
    original->value = value;
    original->producer = producer;
    original->state = producer < 0 ? 1 : 0;
}

/* ---- the workload -------------------------------------------------------- */

static void append_random(model_t *model)
{
    keyed_batch_t spec = KEYED_BATCH;
    int keys[6], i, count = 1 + (int)next_random(model, 6);
    int who = (int)next_random(model, PRODUCERS * 3), txn = 0;
    keyed_t records[6];
    int64_t base;

    spec.codec = (record_codec_t)next_random(model, 5);
    spec.timestamp = clock_wall_ms();
    if (who < PRODUCERS) {
        spec.producer_id = 100 + who;
        spec.sequence = model->sequence[who];
        model->sequence[who] += count;
        txn = who >= PRODUCERS / 2; /* half of them are transactional */
        spec.transactional = (unsigned)txn;
    }
    for (i = 0; i < count; i++) {
        int length = (int)next_random(model, 200);
        char *value = apr_palloc(unit_pool(), (apr_size_t)length + 16);

        keys[i] = (int)next_random(model, KEYS);
        memset(value, 'a' + keys[i] % 26, (size_t)length);
        snprintf(value + length, 16, "%u", next_random(model, 1000000));
        records[i].key = key_name(keys[i]);
        records[i].value = next_random(model, 5) == 0 ? NULL : value;
    }
    base = append_keyed(model->bench.log, &spec, records, count);
    for (i = 0; i < count; i++)
        note(model, base + i, keys[i], records[i].value, txn ? who : -1);
    if (txn && model->began[who] < 0)
        model->began[who] = base;
}

static void end_transaction(model_t *model)
{
    int who = PRODUCERS / 2 + (int)next_random(model, PRODUCERS / 2);
    int commit = next_random(model, 3) != 0;
    int64_t marker, offset;

    if (model->began[who] < 0)
        return;
    marker = append_marker(model->bench.log, 100 + who, commit);
    for (offset = model->began[who]; offset < marker; offset++)
        if (model->records[offset].producer == who &&
            model->records[offset].state == 0)
            model->records[offset].state = commit ? 1 : 2;
    model->began[who] = -1;
}

/* ---- what must hold ------------------------------------------------------ */

/* Whether OFFSET is a record of an aborted transaction by the log's account. */
static int is_aborted(const log_aborted_t *aborted, int count, int64_t id,
                      int64_t offset, const int64_t *ends)
{
    int i;

    for (i = 0; i < count; i++)
        if (aborted[i].producer_id == id && aborted[i].first_offset <= offset &&
            offset < ends[i])
            return 1;
    return 0;
}

/* The markers that end ABORTED's transactions. */
static void find_ends(const model_t *model, const log_aborted_t *aborted,
                      int count, int64_t *ends)
{
    int i;

    for (i = 0; i < count; i++) {
        int who = (int)aborted[i].producer_id - 100;

        /* Until another transaction of this producer begins. */
        ends[i] = aborted[i].first_offset;
        while (model->records[ends[i]].producer != who ||
               model->records[ends[i]].state == 2)
            if (++ends[i] >= log_end_offset(model->bench.log))
                break;
    }
}

typedef struct {
    int64_t offset; /* -1: none */
} newest_t;

static void check_record(const model_t *model, const record_t *record)
{
    const original_t *original = &model->records[record->offset];

    CU_ASSERT_FATAL(original->key >= 0);
    CU_ASSERT_EQUAL(record->key_length,
                    (int32_t)strlen(key_name(original->key)));
    CU_ASSERT_EQUAL(memcmp(record->key, key_name(original->key),
                           (size_t)record->key_length),
                    0);
    CU_ASSERT_EQUAL(record->value_length < 0, original->value == NULL);
    if (original->value != NULL && record->value_length >= 0) {
        CU_ASSERT_EQUAL(record->value_length, (int32_t)strlen(original->value));
        CU_ASSERT_EQUAL(memcmp(record->value, original->value,
                               (size_t)record->value_length),
                        0);
    }
}

/* Reads the log to UPPER; sets SURVIVES by offset and the newest of each key. */
static void read_all(const model_t *model, int64_t upper, char *survives,
                     newest_t *newest)
{
    log_t *log = model->bench.log;
    int64_t offset = 0, *ends;
    record_scratch_t scratch = {0};
    log_aborted_t *aborted;
    apr_pool_t *pool;
    int count;

    apr_pool_create(&pool, unit_pool());
    UNIT_OK(log_aborted_transactions(log, 0, upper, &aborted, &count, pool));
    ends = apr_palloc(pool, sizeof(*ends) * (apr_size_t)(count + 1));
    find_ends(model, aborted, count, ends);
    while (offset < upper) {
        apr_size_t length, at;
        uint8_t *data;

        UNIT_OK(log_read(log, offset, upper, 60000, &data, &length, pool));
        if (length == 0)
            break;
        for (at = 0; at < length;) {
            record_iterator_t iterator;
            record_batch_t batch;
            record_t record;

            UNIT_OK(record_batch_parse(&batch, data + at, length - at));
            UNIT_OK(record_batch_verify_crc(&batch, data + at));
            UNIT_OK(record_iterator_init(&iterator, &batch, data + at, &scratch,
                                         1 << 20));
            while (record_iterator_next(&iterator, &record) == APR_SUCCESS) {
                survives[record.offset] = 1;
                if (record_batch_is_control(&batch))
                    continue;
                check_record(model, &record);
                if (!record_batch_is_transactional(&batch) ||
                    !is_aborted(aborted, count, batch.producer_id,
                                record.offset, ends))
                    newest[model->records[record.offset].key].offset =
                        record.offset;
            }
            CU_ASSERT(record_batch_last_offset(&batch) >= offset);
            offset = record_batch_next_offset(&batch);
            at += record_batch_size(&batch);
        }
    }
    record_scratch_free(&scratch);
    apr_pool_destroy(pool);
}

static void check_newest(const model_t *model, int64_t upper,
                         const newest_t *newest)
{
    newest_t wanted[KEYS];
    int64_t offset;
    int key;

    for (key = 0; key < KEYS; key++)
        wanted[key].offset = -1;
    for (offset = 0; offset < upper; offset++)
        if (model->records[offset].key >= 0 &&
            model->records[offset].state == 1)
            wanted[model->records[offset].key].offset = offset;
    for (key = 0; key < KEYS; key++) {
        int64_t want = wanted[key].offset;

        if (want >= 0 && model->records[want].value == NULL)
            CU_ASSERT(newest[key].offset == want || newest[key].offset == -1)
        else
            CU_ASSERT_EQUAL(newest[key].offset, want);
    }
}

/* A read at any offset begins with the batch that has the next survivor. */
static void check_reads(model_t *model, int64_t upper, const char *survives)
{
    int i;

    for (i = 0; i < 40 && upper > 0; i++) {
        int64_t offset = next_random(model, (uint32_t)upper), next = offset;
        record_batch_t batch;
        apr_size_t length;
        apr_pool_t *pool;
        uint8_t *data;

        apr_pool_create(&pool, unit_pool());
        while (next < upper && !survives[next])
            next++;
        UNIT_OK(
            log_read(model->bench.log, offset, upper, 1, &data, &length, pool));
        CU_ASSERT(length > 0 || next == upper);
        if (length > 0) {
            UNIT_OK(record_batch_parse(&batch, data, length));
            CU_ASSERT(record_batch_last_offset(&batch) >= offset);
            CU_ASSERT(batch.base_offset <= next);
        }
        apr_pool_destroy(pool);
    }
}

static void check_model(model_t *model)
{
    int64_t upper = log_last_stable_offset(model->bench.log);
    char *survives = calloc(MOST, 1);
    newest_t newest[KEYS];
    int key;

    for (key = 0; key < KEYS; key++)
        newest[key].offset = -1;
    read_all(model, upper, survives, newest);
    check_newest(model, upper, newest);
    check_reads(model, upper, survives);
    free(survives);
}

/* ---- rounds -------------------------------------------------------------- */

static void open_model(model_t *model)
{
    log_config_t config;

    compact_config(&config);
    config.segment_bytes = 4000;
    config.min_cleanable_dirty_ratio = 0.2;
    config.producer_id_expiration_ms = INT64_MAX / 4;
    open_bench(&model->bench, model->path, &config);
    /* As log_dir_start does: the next stop may be none. */
    (void)fs_remove(apr_pstrcat(unit_pool(), model->path,
                                "/.kafka_cleanshutdown", NULL));
}

static void reopen(model_t *model)
{
    if (next_random(model, 2)) {
        close_bench(&model->bench);
    } else {
        UNIT_OK(log_flush(model->bench.log));
        log_abandon(model->bench.log);
        UNIT_OK(log_dir_close(model->bench.dirs[0], -2));
    }
    open_model(model);
}

static void step(model_t *model)
{
    uint32_t what = next_random(model, 100);
    log_t *log = model->bench.log;

    if (what < 75) {
        append_random(model);
    } else if (what < 85) {
        end_transaction(model);
    } else if (what < 94) {
        log_raise_high_watermark(log, log_end_offset(log));
        UNIT_OK(log_flush(log));
        model->compactions += clean(&model->bench);
    } else if (what < 96) {
        clock_test_advance(DAY_US / 2);
    } else if (what < 97) {
        reopen(model);
    } else {
        log_raise_high_watermark(log, log_end_offset(log));
        check_model(model);
    }
}

static void run_model(uint64_t seed)
{
    model_t model;
    int i;

    memset(&model, 0, sizeof(model));
    model.random = seed * 0x9e3779b97f4a7c15u + 1;
    model.path = memory_dir();
    model.records = calloc(MOST, sizeof(*model.records));
    for (i = 0; i < MOST; i++)
        model.records[i].key = model.records[i].producer = -1;
    for (i = 0; i < PRODUCERS; i++)
        model.began[i] = -1;
    clock_test_begin(0, 1000000000000);
    open_model(&model);
    for (i = 0; i < 1200; i++)
        step(&model);
    log_raise_high_watermark(model.bench.log, log_end_offset(model.bench.log));
    check_model(&model);
    CU_ASSERT(model.compactions > 10);
    printf("# seed %d: %d records, %d compactions, %d bytes left\n", (int)seed,
           (int)log_end_offset(model.bench.log), model.compactions,
           (int)log_size(model.bench.log));
    close_bench(&model.bench);
    clock_test_end();
    free(model.records);
}

static void a_compacted_log_says_what_the_model_says(void)
{
    const char *seed = getenv("TAKHIN_SEED");
    uint64_t i;

    if (seed != NULL)
        run_model(strtoull(seed, NULL, 10));
    else
        for (i = 1; i <= 6; i++)
            run_model(i);
}

UNIT_MAIN(UNIT_TEST(a_compacted_log_says_what_the_model_says))
