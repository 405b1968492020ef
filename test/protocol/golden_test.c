/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames written by Apache Kafka's own classes (golden/Golden.java makes them):
 * each must decode, and encode to the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include <apr_strings.h>

#include "base/bytes.h"
#include "protocol/api.h"
#include "unit.h"

#define FRAMES "test/protocol/golden/frames.bin"

typedef struct frame_t {
    char name[256];
    int16_t version;
    const uint8_t *data;
    apr_size_t length;
} frame_t;

static uint8_t *file;
static size_t file_length;

/* The whole file, read once; it lives as long as the program. */
static void load(void)
{
    FILE *in = file == NULL ? fopen(FRAMES, "rb") : NULL;
    if (in == NULL)
        return;
    fseek(in, 0, SEEK_END);
    file_length = (size_t)ftell(in);
    rewind(in);
    file = malloc(file_length);
    if (file != NULL && fread(file, 1, file_length, in) != file_length)
        file_length = 0;
    fclose(in);
}

/* The frame at *AT, which moves behind it; false at the end. */
static int next_frame(frame_t *frame, size_t *at)
{
    const uint8_t *p = file + *at;
    if (*at >= file_length)
        return 0;
    memcpy(frame->name, p + 1, p[0]);
    frame->name[p[0]] = '\0';
    p += 1 + p[0];
    frame->version = bytes_get_i16(p);
    frame->length = bytes_get_u32(p + 2);
    frame->data = p + 6;
    *at = (size_t)(frame->data - file) + frame->length;
    return 1;
}

static void fail(const frame_t *frame, const char *what, const char *why)
{
    printf("# %s version %d: %s: %s\n", frame->name, frame->version, what,
           why != NULL ? why : "");
    CU_FAIL("a frame of Kafka's");
}

/* Decodes FRAME, encodes it and compares, in POOL. */
static void check_frame(const frame_t *frame, const wire_message_t *type,
                        apr_pool_t *pool)
{
    wire_reader_t in;
    wire_writer_t out;
    void *message = apr_palloc(pool, type->size);

    /* What was not set must be seen. */
    memset(message, 0xa5, type->size);
    wire_reader_init(&in, frame->data, frame->length, pool);
    if (wire_message_decode(type, message, &in, frame->version)) {
        fail(frame, "decode", wire_reader_error(&in, pool));
        return;
    }
    if (wire_left(&in) != 0)
        fail(frame, "decode", "bytes are left");
    wire_writer_init(&out, pool, 0);
    if (wire_message_encode(type, message, &out, frame->version))
        fail(frame, "encode", wire_writer_error(&out, pool));
    else if (out.length != frame->length ||
             (out.length > 0 && memcmp(out.buf, frame->data, out.length) != 0))
        fail(frame, "encode", "other bytes");
}

static void frames_of_kafka_decode_and_encode_to_the_same_bytes(void)
{
    apr_pool_t *pool;
    frame_t frame;
    size_t at = 0;
    int count = 0;

    load();
    apr_pool_create(&pool, unit_pool());
    while (next_frame(&frame, &at)) {
        const wire_message_t *type = protocol_message(frame.name);
        if (type == NULL)
            fail(&frame, "no such message", NULL);
        else
            check_frame(&frame, type, pool);
        apr_pool_clear(pool);
        count++;
    }
    CU_ASSERT(count > 2000);
}

static void every_message_and_version_is_among_the_frames(void)
{
    int count;
    const wire_message_t *const *all = protocol_messages(&count);

    load();
    for (int i = 0; i < count; i++) {
        int wanted = all[i]->max_version - all[i]->min_version + 1, found = 0;
        int last = -1;
        frame_t frame;
        for (size_t at = 0; next_frame(&frame, &at);)
            if (strcmp(frame.name, all[i]->name) == 0 &&
                frame.version != last) {
                last = frame.version;
                found++;
            }
        if (found != wanted)
            printf("# %s: %d versions, not %d\n", all[i]->name, found, wanted);
        CU_ASSERT_EQUAL(found, wanted);
    }
}

static void a_frame_cut_short_anywhere_is_refused(void)
{
    apr_pool_t *pool;
    frame_t frame;

    load();
    apr_pool_create(&pool, unit_pool());
    for (size_t at = 0; next_frame(&frame, &at);) {
        const wire_message_t *type = protocol_message(frame.name);
        if (type == NULL)
            continue;
        for (apr_size_t length = 0; length < frame.length; length++) {
            /* A copy of its own shows a read behind the end to ASan. */
            uint8_t *part = malloc(length + 1);
            void *message = apr_palloc(pool, type->size);
            wire_reader_t in;
            memcpy(part, frame.data, length);
            wire_reader_init(&in, part, length, pool);
            if (wire_message_decode(type, message, &in, frame.version) == 0)
                fail(&frame, "decoded, though cut short", NULL);
            free(part);
            apr_pool_clear(pool);
        }
    }
}

static void a_version_that_does_not_exist_is_refused(void)
{
    int count;
    const wire_message_t *const *all = protocol_messages(&count);
    for (int i = 0; i < count; i++) {
        void *message = apr_pcalloc(unit_pool(), all[i]->size);
        wire_reader_t in;
        wire_writer_t out;
        wire_reader_init(&in, "", 0, unit_pool());
        CU_ASSERT(wire_message_decode(all[i], message, &in,
                                      all[i]->max_version + 1) != 0);
        all[i]->init(message);
        wire_writer_init(&out, unit_pool(), 0);
        CU_ASSERT(wire_message_encode(all[i], message, &out,
                                      all[i]->min_version - 1) != 0);
    }
}

UNIT_MAIN(UNIT_TEST(frames_of_kafka_decode_and_encode_to_the_same_bytes),
          UNIT_TEST(every_message_and_version_is_among_the_frames),
          UNIT_TEST(a_frame_cut_short_anywhere_is_refused),
          UNIT_TEST(a_version_that_does_not_exist_is_refused))
