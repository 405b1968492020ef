/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches made by Kafka's own classes (golden/MakeGolden.java has the file's
 * format) must be read with the contents that Kafka reads; with any byte of
 * them wrong they must be refused or at least do no harm.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/crc32c.h"

#define GOLDEN      "test/record/golden/batches.golden"
#define LIMIT       ((size_t)4 << 20)
#define WHOLE_FIELD 1000 /* above, the file has a CRC in place of the bytes */

static uint8_t *golden;
static size_t golden_length;

static void golden_load(void)
{
    FILE *file;

    if (golden)
        return;
    file = fopen(GOLDEN, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    golden = malloc(1 << 20);
    golden_length = fread(golden, 1, 1 << 20, file);
    fclose(file);
}

static const uint8_t *take(const uint8_t **p, size_t length)
{
    const uint8_t *at = *p;

    CU_ASSERT_FATAL(length <= (size_t)(golden + golden_length - at));
    *p = at + length;
    return at;
}

#define TAKE8(p)  ((int8_t)*take(p, 1))
#define TAKE16(p) bytes_get_i16(take(p, 2))
#define TAKE32(p) bytes_get_i32(take(p, 4))
#define TAKE64(p) bytes_get_i64(take(p, 8))

/* One case, up to its records. */
typedef struct {
    char name[64];
    uint8_t *batch; /* exactly as large as it is, for the sanitizer */
    size_t length;
    int64_t base_offset, last_offset, max_timestamp, producer_id;
    int8_t magic, codec, flags;
    int16_t producer_epoch;
    int32_t base_sequence, leader_epoch, records;
} golden_t;

static int golden_next(const uint8_t **p, golden_t *g)
{
    size_t length;

    if (*p == golden + golden_length)
        return 0;
    length = (size_t)TAKE16(p);
    CU_ASSERT_FATAL(length < sizeof g->name);
    memcpy(g->name, take(p, length), length);
    g->name[length] = 0;
    g->length = (size_t)TAKE32(p);
    g->batch = malloc(g->length);
    memcpy(g->batch, take(p, g->length), g->length);
    g->base_offset = TAKE64(p);
    g->last_offset = TAKE64(p);
    g->magic = TAKE8(p);
    g->codec = TAKE8(p);
    g->flags = TAKE8(p);
    g->max_timestamp = TAKE64(p);
    g->producer_id = TAKE64(p);
    g->producer_epoch = TAKE16(p);
    g->base_sequence = TAKE32(p);
    g->leader_epoch = TAKE32(p);
    g->records = TAKE32(p);
    return 1;
}

static void same_field(const uint8_t **p, const uint8_t *bytes, int32_t length)
{
    int32_t expected = TAKE32(p);

    CU_ASSERT_EQUAL_FATAL(length, expected);
    if (expected > WHOLE_FIELD) {
        CU_ASSERT_EQUAL(crc32c(0, bytes, (size_t)length), (uint32_t)TAKE32(p));
    } else if (expected >= 0) {
        CU_ASSERT(memcmp(take(p, (size_t)expected), bytes, (size_t)expected) ==
                  0);
    }
}

static void same_record(const uint8_t **p, const record_t *record)
{
    const uint8_t *at = record->headers;
    int32_t headers;

    CU_ASSERT_EQUAL(record->offset, TAKE64(p));
    CU_ASSERT_EQUAL(record->timestamp, TAKE64(p));
    CU_ASSERT_EQUAL(record->sequence, TAKE32(p));
    same_field(p, record->key, record->key_length);
    same_field(p, record->value, record->value_length);
    headers = TAKE32(p);
    CU_ASSERT_EQUAL_FATAL(record->header_count, headers);
    for (int32_t i = 0; i < headers; i++) {
        record_header_t header;
        record_header_next(&at, &header);
        same_field(p, header.key, header.key_length);
        same_field(p, header.value, header.value_length);
    }
    CU_ASSERT_PTR_EQUAL(at, headers ? record->headers + record->headers_length
                                    : record->headers);
}

static void same_header(const golden_t *g, const record_batch_t *batch)
{
    CU_ASSERT_EQUAL(record_batch_size(batch), g->length);
    CU_ASSERT_EQUAL(record_batch_last_offset(batch), g->last_offset);
    CU_ASSERT_EQUAL(batch->magic, g->magic);
    CU_ASSERT_EQUAL((int)record_batch_codec(batch), g->codec);
    CU_ASSERT_EQUAL(!!record_batch_is_transactional(batch), g->flags & 1);
    CU_ASSERT_EQUAL(!!record_batch_is_control(batch), g->flags >> 1 & 1);
    CU_ASSERT_EQUAL(record_batch_timestamp_type(batch), g->flags >> 2 & 1);
    CU_ASSERT_EQUAL(record_batch_delete_horizon(batch) >= 0, g->flags >> 3);
    CU_ASSERT_EQUAL(batch->max_timestamp, g->max_timestamp);
    CU_ASSERT_EQUAL(batch->producer_id, g->producer_id);
    CU_ASSERT_EQUAL(batch->producer_epoch, g->producer_epoch);
    CU_ASSERT_EQUAL(batch->base_sequence, g->base_sequence);
    CU_ASSERT_EQUAL(batch->partition_leader_epoch, g->leader_epoch);
    if (g->magic == 2) {
        CU_ASSERT_EQUAL(batch->base_offset, g->base_offset);
        CU_ASSERT_EQUAL(batch->record_count, g->records);
    }
}

static void kafkas_batches_have_kafkas_contents(void)
{
    record_scratch_t scratch = {0};
    const uint8_t *p;
    golden_t g;
    int cases = 0;

    golden_load();
    for (p = golden; golden_next(&p, &g); cases++) {
        record_batch_t batch;
        record_iterator_t iterator;
        record_t record = {0};
        UNIT_OK(record_batch_parse(&batch, g.batch, g.length));
        UNIT_OK(record_batch_verify_crc(&batch, g.batch));
        same_header(&g, &batch);
        UNIT_OK(
            record_iterator_init(&iterator, &batch, g.batch, &scratch, LIMIT));
        for (int32_t i = 0; i < g.records; i++) {
            apr_status_t rv = record_iterator_next(&iterator, &record);
            if (rv != APR_SUCCESS)
                printf("# %s, record %d\n", g.name, (int)i);
            CU_ASSERT_EQUAL_FATAL(rv, APR_SUCCESS);
            if (i == 0)
                CU_ASSERT_EQUAL(record.offset, g.base_offset);
            same_record(&p, &record);
        }
        CU_ASSERT_EQUAL(record_iterator_next(&iterator, &record), APR_EOF);
        free(g.batch);
    }
    CU_ASSERT(cases > 20);
    record_scratch_free(&scratch);
}

/* Reads DATA to its end if it can; returns the records that were seen. */
static int walk(const uint8_t *data, size_t length, record_scratch_t *scratch,
                apr_status_t *crc)
{
    record_batch_t batch;
    record_iterator_t iterator;
    record_t record;
    int seen = 0;

    *crc = TAKHIN_ECORRUPT;
    if (record_batch_parse(&batch, data, length) != APR_SUCCESS ||
        record_batch_size(&batch) > length)
        return 0;
    *crc = record_batch_verify_crc(&batch, data);
    if (record_iterator_init(&iterator, &batch, data, scratch, LIMIT) !=
        APR_SUCCESS)
        return 0;
    while (record_iterator_next(&iterator, &record) == APR_SUCCESS)
        seen++;
    return seen;
}

static void skip_records(const uint8_t **p, const golden_t *g)
{
    for (int32_t i = 0; i < g->records; i++) {
        take(p, 20);
        for (int fields = 2, n = 0; n < fields; n++) {
            int32_t length = TAKE32(p);
            take(p, length < 0 ? 0 : length > WHOLE_FIELD ? 4 : (size_t)length);
            if (n == 1)
                fields += 2 * TAKE32(p);
        }
    }
}

static void a_flipped_bit_is_refused_or_harmless(void)
{
    static const uint8_t flips[] = {0xff, 0x01};
    record_scratch_t scratch = {0};
    const uint8_t *p;
    golden_t g;

    golden_load();
    for (p = golden; golden_next(&p, &g);) {
        size_t covered =
            g.magic == 2 ? RECORD_BATCH_ATTRIBUTES : RECORD_BATCH_MAGIC;
        for (size_t i = 0; i < g.length; i++)
            for (size_t f = 0; f < sizeof flips; f++) {
                apr_status_t crc;
                g.batch[i] ^= flips[f];
                walk(g.batch, g.length, &scratch, &crc);
                if (i >= covered)
                    CU_ASSERT_NOT_EQUAL(crc, APR_SUCCESS);
                g.batch[i] ^= flips[f];
            }
        free(g.batch);
        skip_records(&p, &g);
    }
    record_scratch_free(&scratch);
}

static void a_batch_cut_anywhere_is_refused_or_harmless(void)
{
    record_scratch_t scratch = {0};
    const uint8_t *p;
    golden_t g;

    golden_load();
    for (p = golden; golden_next(&p, &g);) {
        for (size_t length = 0; length < g.length; length++) {
            record_batch_t batch;
            uint8_t *cut = malloc(length ? length : 1);
            apr_status_t rv, crc;
            memcpy(cut, g.batch, length);
            rv = record_batch_parse(&batch, cut, length);
            if (length < RECORD_LEGACY_OVERHEAD)
                CU_ASSERT_EQUAL(rv, TAKHIN_ETRUNCATED);
            /* the length says that all is there */
            if (length > RECORD_BATCH_MAGIC) {
                bytes_put_i32(cut + RECORD_BATCH_LENGTH,
                              (int32_t)(length - LOG_OVERHEAD));
                walk(cut, length, &scratch, &crc);
                CU_ASSERT_NOT_EQUAL(crc, APR_SUCCESS);
            }
            free(cut);
        }
        free(g.batch);
        skip_records(&p, &g);
    }
    record_scratch_free(&scratch);
}

static void what_decompresses_beyond_the_limit_is_refused(void)
{
    record_scratch_t scratch = {0};
    const uint8_t *p;
    golden_t g;
    int refused = 0;

    golden_load();
    for (p = golden; golden_next(&p, &g);) {
        record_batch_t batch;
        record_iterator_t iterator;
        UNIT_OK(record_batch_parse(&batch, g.batch, g.length));
        if (strncmp(g.name, "blocks-", 7) == 0) {
            CU_ASSERT_EQUAL(record_iterator_init(&iterator, &batch, g.batch,
                                                 &scratch, 100000),
                            TAKHIN_ETOOBIG);
            CU_ASSERT(scratch.buffer.capacity <= 200000);
            refused++;
        }
        free(g.batch);
        skip_records(&p, &g);
    }
    CU_ASSERT_EQUAL(refused, 4);
    record_scratch_free(&scratch);
}

static void kafkas_transaction_markers_are_understood(void)
{
    const uint8_t *p;
    golden_t g;
    int markers = 0;

    golden_load();
    for (p = golden; golden_next(&p, &g);) {
        if (g.flags & 2) {
            record_batch_t batch;
            record_iterator_t iterator;
            record_t record;
            int commit;
            int32_t epoch;
            UNIT_OK(record_batch_parse(&batch, g.batch, g.length));
            UNIT_OK(record_iterator_init(&iterator, &batch, g.batch, NULL, 0));
            UNIT_OK(record_iterator_next(&iterator, &record));
            UNIT_OK(record_end_marker_parse(&record, &commit, &epoch));
            CU_ASSERT_EQUAL(commit, strcmp(g.name, "commit") == 0);
            CU_ASSERT_EQUAL(epoch, commit ? 31 : 32);
            markers++;
        }
        free(g.batch);
        skip_records(&p, &g);
    }
    CU_ASSERT_EQUAL(markers, 2);
}

static void our_marker_is_kafkas_to_the_byte(void)
{
    record_builder_t builder = {0};
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    const uint8_t *p;
    golden_t g;

    golden_load();
    options.control = options.transactional = 1;
    options.base_offset = 77;
    options.producer_id = 4711;
    options.producer_epoch = 12;
    options.partition_leader_epoch = 4;
    for (p = golden; golden_next(&p, &g);) {
        if (strcmp(g.name, "commit") == 0) {
            uint8_t *data;
            size_t length;
            UNIT_OK(record_builder_begin(&builder, &options));
            UNIT_OK(record_builder_append_end_marker(&builder, 1, 31,
                                                     g.max_timestamp));
            UNIT_OK(record_builder_finish(&builder, &data, &length));
            CU_ASSERT_EQUAL_FATAL(length, g.length);
            CU_ASSERT(memcmp(data, g.batch, length) == 0);
        }
        free(g.batch);
        skip_records(&p, &g);
    }
    record_builder_free(&builder);
}

UNIT_MAIN(UNIT_TEST(kafkas_batches_have_kafkas_contents),
          UNIT_TEST(a_flipped_bit_is_refused_or_harmless),
          UNIT_TEST(a_batch_cut_anywhere_is_refused_or_harmless),
          UNIT_TEST(what_decompresses_beyond_the_limit_is_refused),
          UNIT_TEST(kafkas_transaction_markers_are_understood),
          UNIT_TEST(our_marker_is_kafkas_to_the_byte))
