/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs: what goes in comes out, and nothing else does harm. */
#include "unit.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>

#include "record/compress.h"

#define NO_LIMIT ((size_t)64 << 20)

/* Compressible where KIND is even, noise where it is odd. */
static uint8_t *sample(size_t length, int kind)
{
    uint8_t *data = calloc(1, length + 1);
    uint32_t state = 1;

    for (size_t i = 0; i < length; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = kind & 1 ? (uint8_t)(state >> 24) : (uint8_t)("abcd"[i & 3]);
    }
    return data;
}

static void round_trip(record_codec_t codec, int level, size_t length, int kind,
                       record_scratch_t *scratch)
{
    uint8_t *data = sample(length, kind);
    record_buffer_t packed = {0};

    UNIT_OK(record_compress(codec, level, data, length, &packed));
    UNIT_OK(record_decompress(codec, 2, packed.data, packed.length, scratch,
                              length));
    CU_ASSERT_EQUAL_FATAL(scratch->buffer.length, length);
    CU_ASSERT(length == 0 || memcmp(scratch->buffer.data, data, length) == 0);
    if (length > 0)
        CU_ASSERT_EQUAL(record_decompress(codec, 2, packed.data, packed.length,
                                          scratch, length - 1),
                        TAKHIN_ETOOBIG);
    record_buffer_free(&packed);
    free(data);
}

static void every_codec_gives_back_what_it_got(void)
{
    static const size_t lengths[] = {0,     1,     61,    4096,   32768,
                                     32769, 65536, 65537, 300000, 2000000};
    record_scratch_t scratch = {0};

    for (int codec = 0; codec <= RECORD_CODEC_ZSTD; codec++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            for (int kind = 0; kind < 2; kind++)
                round_trip((record_codec_t)codec, RECORD_LEVEL_DEFAULT,
                           lengths[i], kind, &scratch);
    record_scratch_free(&scratch);
}

static void every_codec_takes_a_level(void)
{
    record_scratch_t scratch = {0};

    for (int level = 1; level <= 9; level += 4) {
        round_trip(RECORD_CODEC_GZIP, level, 100000, 0, &scratch);
        round_trip(RECORD_CODEC_LZ4, level, 100000, 0, &scratch);
        round_trip(RECORD_CODEC_ZSTD, level, 100000, 0, &scratch);
    }
    record_scratch_free(&scratch);
}

static void compressing_appends(void)
{
    record_scratch_t scratch = {0};

    for (int codec = 0; codec <= RECORD_CODEC_ZSTD; codec++) {
        record_buffer_t packed = {0};
        UNIT_OK(record_compress(RECORD_CODEC_NONE, 0, (const uint8_t *)"head",
                                4, &packed));
        UNIT_OK(record_compress((record_codec_t)codec, RECORD_LEVEL_DEFAULT,
                                (const uint8_t *)"tail", 4, &packed));
        CU_ASSERT(memcmp(packed.data, "head", 4) == 0);
        UNIT_OK(record_decompress((record_codec_t)codec, 2, packed.data + 4,
                                  packed.length - 4, &scratch, 4));
        CU_ASSERT(memcmp(scratch.buffer.data, "tail", 4) == 0);
        record_buffer_free(&packed);
    }
    record_scratch_free(&scratch);
}

static void what_is_cut_short_is_corrupt(void)
{
    record_scratch_t scratch = {0};
    uint8_t *data = sample(70000, 0);

    for (int codec = 1; codec <= RECORD_CODEC_ZSTD; codec++) {
        record_buffer_t packed = {0};
        UNIT_OK(record_compress((record_codec_t)codec, RECORD_LEVEL_DEFAULT,
                                data, 70000, &packed));
        for (size_t length = 0; length < packed.length; length++) {
            apr_status_t rv =
                record_decompress((record_codec_t)codec, 2, packed.data, length,
                                  &scratch, NO_LIMIT);
            /* snappy-java's stream may end behind any block */
            if (rv == APR_SUCCESS && codec == RECORD_CODEC_SNAPPY)
                CU_ASSERT(scratch.buffer.length < 70000)
            else
                CU_ASSERT_EQUAL(rv, TAKHIN_ECORRUPT);
        }
        record_buffer_free(&packed);
    }
    free(data);
    record_scratch_free(&scratch);
}

static void bytes_behind_the_end_are_corrupt(void)
{
    record_scratch_t scratch = {0};

    for (int codec = 1; codec <= RECORD_CODEC_ZSTD; codec++) {
        record_buffer_t packed = {0};
        UNIT_OK(record_compress((record_codec_t)codec, RECORD_LEVEL_DEFAULT,
                                (const uint8_t *)"abc", 3, &packed));
        UNIT_OK(record_compress(RECORD_CODEC_NONE, 0, (const uint8_t *)"xyz", 3,
                                &packed));
        CU_ASSERT_EQUAL(record_decompress((record_codec_t)codec, 2, packed.data,
                                          packed.length, &scratch, NO_LIMIT),
                        TAKHIN_ECORRUPT);
        record_buffer_free(&packed);
    }
    record_scratch_free(&scratch);
}

static void a_raw_snappy_block_is_read(void)
{
    record_scratch_t scratch = {0};
    uint8_t *data = sample(50000, 0);
    size_t length = snappy_max_compressed_length(50000);
    char *packed = malloc(length);

    CU_ASSERT_EQUAL_FATAL(snappy_compress((char *)data, 50000, packed, &length),
                          SNAPPY_OK);
    UNIT_OK(record_decompress(RECORD_CODEC_SNAPPY, 2, (uint8_t *)packed, length,
                              &scratch, NO_LIMIT));
    CU_ASSERT_EQUAL_FATAL(scratch.buffer.length, 50000);
    CU_ASSERT(memcmp(scratch.buffer.data, data, 50000) == 0);
    free(packed);
    free(data);
    record_scratch_free(&scratch);
}

static void a_snappy_block_that_claims_too_much_is_not_allocated(void)
{
    static const uint8_t claim[] = {0xff, 0xff, 0xff, 0x1f, 0x00, 'x'};
    record_scratch_t scratch = {0};

    CU_ASSERT_EQUAL(record_decompress(RECORD_CODEC_SNAPPY, 2, claim,
                                      sizeof claim, &scratch, NO_LIMIT),
                    TAKHIN_ECORRUPT);
    CU_ASSERT(scratch.buffer.capacity <= 4096);
    record_scratch_free(&scratch);
}

static void gzip_and_snappy_streams_may_follow_each_other(void)
{
    static const record_codec_t codecs[] = {RECORD_CODEC_GZIP,
                                            RECORD_CODEC_SNAPPY};
    record_scratch_t scratch = {0};

    for (int i = 0; i < 2; i++) {
        record_buffer_t packed = {0};
        UNIT_OK(record_compress(codecs[i], RECORD_LEVEL_DEFAULT,
                                (const uint8_t *)"one", 3, &packed));
        UNIT_OK(record_compress(codecs[i], RECORD_LEVEL_DEFAULT,
                                (const uint8_t *)"two", 3, &packed));
        UNIT_OK(record_decompress(codecs[i], 2, packed.data, packed.length,
                                  &scratch, NO_LIMIT));
        CU_ASSERT_EQUAL_FATAL(scratch.buffer.length, 6);
        CU_ASSERT(memcmp(scratch.buffer.data, "onetwo", 6) == 0);
        record_buffer_free(&packed);
    }
    record_scratch_free(&scratch);
}

static void an_empty_snappy_stream_is_empty(void)
{
    record_scratch_t scratch = {0};
    record_buffer_t packed = {0};

    UNIT_OK(record_compress(RECORD_CODEC_SNAPPY, 0, NULL, 0, &packed));
    UNIT_OK(record_decompress(RECORD_CODEC_SNAPPY, 2, packed.data,
                              packed.length, &scratch, NO_LIMIT));
    CU_ASSERT_EQUAL(scratch.buffer.length, 0);
    CU_ASSERT_PTR_NOT_NULL(scratch.buffer.data);
    record_buffer_free(&packed);
    record_scratch_free(&scratch);
}

/* lz4 up to 1.9 keeps a failed frame's content size in its context. */
static void a_bad_lz4_frame_does_not_spoil_the_next_one(void)
{
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockMode = LZ4F_blockIndependent, .contentSize = 1000}};
    uint8_t *data = sample(1000, 0), packed[2000];
    size_t length =
        LZ4F_compressFrame(packed, sizeof packed, data, 1000, &preferences);
    record_scratch_t scratch = {0};

    CU_ASSERT_FATAL(!LZ4F_isError(length));
    UNIT_OK(record_decompress(RECORD_CODEC_LZ4, 2, packed, length, &scratch,
                              NO_LIMIT));
    CU_ASSERT_EQUAL(record_decompress(RECORD_CODEC_LZ4, 2, packed, length - 9,
                                      &scratch, NO_LIMIT),
                    TAKHIN_ECORRUPT);
    round_trip(RECORD_CODEC_LZ4, RECORD_LEVEL_DEFAULT, 5000, 0, &scratch);
    free(data);
    record_scratch_free(&scratch);
}

static void an_unknown_codec_is_unsupported(void)
{
    record_scratch_t scratch = {0};
    record_buffer_t out = {0};

    for (int codec = 5; codec < 8; codec++) {
        CU_ASSERT_EQUAL(record_decompress((record_codec_t)codec, 2,
                                          (const uint8_t *)"x", 1, &scratch, 9),
                        TAKHIN_EUNSUPPORTED);
        CU_ASSERT_EQUAL(record_compress((record_codec_t)codec, 1,
                                        (const uint8_t *)"x", 1, &out),
                        TAKHIN_EUNSUPPORTED);
    }
    CU_ASSERT_PTR_NULL(record_codec_name(5));
    CU_ASSERT_STRING_EQUAL(record_codec_name(4), "zstd");
    record_scratch_free(&scratch);
}

static void a_trimmed_scratch_keeps_little(void)
{
    record_scratch_t scratch = {0};

    round_trip(RECORD_CODEC_ZSTD, 1, 2000000, 0, &scratch);
    record_scratch_trim(&scratch, 4000000);
    CU_ASSERT_PTR_NOT_NULL(scratch.buffer.data);
    record_scratch_trim(&scratch, 1000);
    CU_ASSERT_PTR_NULL(scratch.buffer.data);
    round_trip(RECORD_CODEC_ZSTD, 1, 2000, 0, &scratch);
    record_scratch_free(&scratch);
}

UNIT_MAIN(UNIT_TEST(every_codec_gives_back_what_it_got),
          UNIT_TEST(every_codec_takes_a_level), UNIT_TEST(compressing_appends),
          UNIT_TEST(what_is_cut_short_is_corrupt),
          UNIT_TEST(bytes_behind_the_end_are_corrupt),
          UNIT_TEST(a_raw_snappy_block_is_read),
          UNIT_TEST(a_snappy_block_that_claims_too_much_is_not_allocated),
          UNIT_TEST(gzip_and_snappy_streams_may_follow_each_other),
          UNIT_TEST(an_empty_snappy_stream_is_empty),
          UNIT_TEST(a_bad_lz4_frame_does_not_spoil_the_next_one),
          UNIT_TEST(an_unknown_codec_is_unsupported),
          UNIT_TEST(a_trimmed_scratch_keeps_little))
