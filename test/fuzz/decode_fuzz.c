/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every decoder with any bytes. The first two bytes choose the message (by its
 * place in the order of names), the third the version. What decodes must
 * encode, decode again and encode to the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>

#include "protocol/api.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static apr_pool_t *pool;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return apr_initialize() != APR_SUCCESS ||
           apr_pool_create(&pool, NULL) != APR_SUCCESS;
}

static void must(bool holds, const char *what, const wire_message_t *type,
                 int16_t version, const char *why)
{
    if (holds)
        return;
    fprintf(stderr, "%s version %d: %s: %s\n", type->name, version, what,
            why != NULL ? why : "");
    abort();
}

/* Encodes MESSAGE, which was decoded at VERSION, into OUT. */
static void encode(const wire_message_t *type, const void *message,
                   wire_writer_t *out, int16_t version)
{
    wire_writer_init(out, pool, 0);
    wire_message_encode(type, message, out, version);
    must(wire_writer_ok(out), "does not encode", type, version,
         wire_writer_error(out, pool));
}

static void try_message(const wire_message_t *type, int16_t version,
                        const uint8_t *data, size_t size)
{
    void *first = apr_palloc(pool, type->size);
    void *second = apr_palloc(pool, type->size);
    wire_reader_t in;
    wire_writer_t once, twice;

    wire_reader_init(&in, data, size, pool);
    if (wire_message_decode(type, first, &in, version) != APR_SUCCESS)
        return;
    encode(type, first, &once, version);
    wire_reader_init(&in, once.buf, once.length, pool);
    wire_message_decode(type, second, &in, version);
    must(wire_reader_ok(&in), "does not decode again", type, version,
         wire_reader_error(&in, pool));
    must(wire_left(&in) == 0, "bytes are left", type, version, NULL);
    encode(type, second, &twice, version);
    must(
        once.length == twice.length &&
            (once.length == 0 || memcmp(once.buf, twice.buf, once.length) == 0),
        "encodes to other bytes", type, version, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int count;
    const wire_message_t *const *all = protocol_messages(&count);
    const wire_message_t *type;

    if (size < 3)
        return 0;
    type = all[bytes_get_u16(data) % count];
    try_message(
        type,
        (int16_t)(type->min_version +
                  data[2] % (type->max_version - type->min_version + 1)),
        data + 3, size - 3);
    apr_pool_clear(pool);
    return 0;
}
