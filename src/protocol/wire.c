/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See wire.h. What is called for every field of a fixed size is inline there;
 * here is what has a length, and the errors.
 */
#include "protocol/wire.h"

#include <apr_strings.h>

#include "base/error.h"

#define WIRE_STRING_MAX 0x7fff

apr_status_t wire_message_decode(const wire_message_t *type, void *message,
                                 wire_reader_t *in, int16_t version)
{
    if (version < type->min_version || version > type->max_version) {
        wire_reader_fail(in, TAKHIN_EUNSUPPORTED, type->name,
                         "no such version");
        return in->status;
    }
    type->decode(message, in, version);
    return in->status;
}

apr_status_t wire_message_encode(const wire_message_t *type,
                                 const void *message, wire_writer_t *out,
                                 int16_t version)
{
    if (version < type->min_version || version > type->max_version) {
        wire_writer_fail(out, TAKHIN_EUNSUPPORTED, type->name,
                         "no such version");
        return out->status;
    }
    type->encode(message, out, version);
    return out->status;
}

/* ---- Strings and ids -------------------------------------------------- */

wire_string_t wire_string_from(const char *text)
{
    if (text == NULL)
        return WIRE_STRING_NULL;
    return (wire_string_t){text, (int32_t)strlen(text)};
}

bool wire_string_equal(wire_string_t a, wire_string_t b)
{
    return a.length == b.length &&
           (a.length <= 0 || memcmp(a.data, b.data, (size_t)a.length) == 0);
}

bool wire_string_equal_text(wire_string_t a, const char *text)
{
    return wire_string_equal(a, wire_string_from(text));
}

char *wire_string_dup(wire_string_t string, apr_pool_t *pool)
{
    if (string.length < 0)
        return NULL;
    if (string.length == 0)
        return apr_pstrdup(pool, "");
    return apr_pstrmemdup(pool, string.data, (apr_size_t)string.length);
}

/* ---- Reading ---------------------------------------------------------- */

void wire_reader_init(wire_reader_t *in, const void *data, apr_size_t length,
                      apr_pool_t *pool)
{
    static const uint8_t nothing[1];
    memset(in, 0, sizeof(*in));
    in->start = in->p = length > 0 ? data : nothing;
    in->end = in->start + length;
    in->pool = pool;
    in->status = APR_SUCCESS;
}

void wire_reader_fail(wire_reader_t *in, apr_status_t status, const char *field,
                      const char *error)
{
    if (in->status == APR_SUCCESS) {
        in->status = status != APR_SUCCESS ? status : TAKHIN_ETRUNCATED;
        in->error = error != NULL ? error : "the frame ends too early";
        in->field = field;
        in->error_at = (apr_size_t)(in->p - in->start);
    }
    in->p = in->end;
}

const char *wire_reader_error(const wire_reader_t *in, apr_pool_t *pool)
{
    if (in->status == APR_SUCCESS)
        return NULL;
    return apr_psprintf(pool, "%s at byte %" APR_SIZE_T_FMT ": %s", in->field,
                        in->error_at, in->error);
}

uint64_t wire_get_uvarlong(wire_reader_t *in, const char *field)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const uint8_t *p = wire_take(in, 1, field);
        if (p == NULL)
            return 0;
        if (shift == 63 && *p > 1)
            break;
        value |= (uint64_t)(*p & 0x7f) << shift;
        if (*p < 0x80)
            return value;
    }
    wire_reader_fail(in, TAKHIN_ECORRUPT, field, "bad varint");
    return 0;
}

uint32_t wire_get_uvarint(wire_reader_t *in, const char *field)
{
    uint32_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        const uint8_t *p = wire_take(in, 1, field);
        if (p == NULL)
            return 0;
        if (shift == 28 && *p > 0x0f)
            break;
        value |= (uint32_t)(*p & 0x7f) << shift;
        if (*p < 0x80)
            return value;
    }
    wire_reader_fail(in, TAKHIN_ECORRUPT, field, "bad varint");
    return 0;
}

int32_t wire_get_varint(wire_reader_t *in, const char *field)
{
    uint32_t value = wire_get_uvarint(in, field);
    return (int32_t)(value >> 1 ^ (0 - (value & 1)));
}

int64_t wire_get_varlong(wire_reader_t *in, const char *field)
{
    uint64_t value = wire_get_uvarlong(in, field);
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

/*
 * Checks a length that was read: -1 is null, when that is allowed, and MOST is
 * what there can be. Returns it, or -1 after an error.
 */
static int32_t check_length(wire_reader_t *in, int64_t length, bool nullable,
                            int64_t most, const char *field)
{
    if (length >= 0 && length <= most)
        return (int32_t)length;
    if (length > most)
        wire_reader_fail(in, TAKHIN_ECORRUPT, field,
                         "longer than what follows");
    else if (length != -1)
        wire_reader_fail(in, TAKHIN_ECORRUPT, field, "negative length");
    else if (!nullable)
        wire_reader_fail(in, TAKHIN_ECORRUPT, field, "must not be null");
    return -1;
}

/* What a length may be: all that is left, and an int32. */
static int64_t most_left(const wire_reader_t *in)
{
    return wire_left(in) < INT32_MAX ? (int64_t)wire_left(in) : INT32_MAX;
}

wire_string_t wire_get_string(wire_reader_t *in, bool compact, bool nullable,
                              const char *field)
{
    wire_string_t value = WIRE_STRING_NULL;
    int64_t length = compact ? (int64_t)wire_get_uvarint(in, field) - 1
                             : wire_get_int16(in, field);
    if (!wire_reader_ok(in))
        return value;
    if (length > WIRE_STRING_MAX) {
        wire_reader_fail(in, TAKHIN_ECORRUPT, field, "string too long");
        return value;
    }
    value.length = check_length(in, length, nullable, most_left(in), field);
    if (value.length >= 0) {
        value.data = (const char *)in->p;
        in->p += value.length;
    }
    return value;
}

wire_bytes_t wire_get_bytes(wire_reader_t *in, bool compact, bool nullable,
                            const char *field)
{
    wire_bytes_t value = WIRE_BYTES_NULL;
    int64_t length = compact ? (int64_t)wire_get_uvarint(in, field) - 1
                             : wire_get_int32(in, field);
    if (!wire_reader_ok(in))
        return value;
    value.length = check_length(in, length, nullable, most_left(in), field);
    if (value.length >= 0) {
        value.data = in->p;
        in->p += value.length;
    }
    return value;
}

wire_records_t wire_get_records(wire_reader_t *in, bool compact, bool nullable,
                                const char *field)
{
    wire_bytes_t bytes = wire_get_bytes(in, compact, nullable, field);
    return (wire_records_t){bytes.data, bytes.length, NULL};
}

void *wire_alloc(wire_reader_t *in, apr_size_t size, const char *field)
{
    void *memory = in->pool != NULL ? apr_palloc(in->pool, size) : NULL;
    if (memory == NULL)
        wire_reader_fail(in, APR_ENOMEM, field, "no memory");
    return memory;
}

void *wire_get_array(wire_reader_t *in, int32_t *count, bool compact,
                     bool nullable, apr_size_t least, apr_size_t size,
                     const char *field)
{
    void *memory;
    int64_t length = compact ? (int64_t)wire_get_uvarint(in, field) - 1
                             : wire_get_int32(in, field);
    *count = 0;
    if (!wire_reader_ok(in))
        return NULL;
    *count = check_length(in, length, nullable, most_left(in) / (int64_t)least,
                          field);
    if (*count <= 0)
        return NULL;
    memory = wire_alloc(in, (apr_size_t)*count * size, field);
    if (memory == NULL)
        *count = 0;
    return memory;
}

void *wire_get_struct(wire_reader_t *in, bool tagged, bool nullable,
                      apr_size_t size, const char *field)
{
    int8_t present = wire_get_int8(in, field);
    if (!wire_reader_ok(in))
        return NULL;
    if (tagged ? present != 0 : present >= 0)
        return wire_alloc(in, size, field);
    if (!nullable)
        wire_reader_fail(in, TAKHIN_ECORRUPT, field, "must not be null");
    return NULL;
}

const uint8_t *wire_get_tag(wire_reader_t *in, uint32_t *tag)
{
    const uint8_t *end = in->end;
    uint32_t size;

    *tag = wire_get_uvarint(in, "tagged field");
    size = wire_get_uvarint(in, "tagged field");
    if (size > wire_left(in))
        wire_reader_fail(in, TAKHIN_ECORRUPT, "tagged field",
                         "longer than what follows");
    if (wire_reader_ok(in))
        in->end = in->p + size;
    return end;
}

void wire_get_tag_end(wire_reader_t *in, const uint8_t *end)
{
    if (in->p != in->end)
        wire_reader_fail(in, TAKHIN_ECORRUPT, "tagged field",
                         "longer than its value");
    /* After an error there must be nothing left to read. */
    in->end = end;
    if (!wire_reader_ok(in))
        in->p = end;
}

void wire_skip_tags(wire_reader_t *in)
{
    uint32_t count = wire_get_uvarint(in, "tagged fields");
    for (; count > 0 && wire_reader_ok(in); count--) {
        uint32_t tag;
        const uint8_t *end = wire_get_tag(in, &tag);
        wire_skip_tag(in);
        wire_get_tag_end(in, end);
    }
}

/* ---- Writing ---------------------------------------------------------- */

void wire_writer_init(wire_writer_t *out, apr_pool_t *pool, apr_size_t expected)
{
    memset(out, 0, sizeof(*out));
    out->pool = pool;
    out->status = APR_SUCCESS;
    if (expected > 0)
        wire_writer_grow(out, expected);
}

void wire_writer_fail(wire_writer_t *out, apr_status_t status,
                      const char *field, const char *error)
{
    if (out->status == APR_SUCCESS) {
        out->status = status;
        out->field = field;
        out->error = error;
    }
}

void wire_writer_lacks(wire_writer_t *out, const char *field)
{
    wire_writer_fail(out, TAKHIN_EUNSUPPORTED, field,
                     "set, but not in this version");
}

const char *wire_writer_error(const wire_writer_t *out, apr_pool_t *pool)
{
    if (out->status == APR_SUCCESS)
        return NULL;
    return apr_psprintf(pool, "%s: %s", out->field, out->error);
}

bool wire_writer_grow(wire_writer_t *out, apr_size_t more)
{
    apr_size_t capacity = out->capacity > 0 ? out->capacity : 256;
    uint8_t *buf = NULL;

    if (out->status != APR_SUCCESS)
        return false;
    while (capacity - out->length < more && capacity <= APR_SIZE_MAX / 2)
        capacity *= 2;
    if (capacity - out->length >= more)
        buf = apr_palloc(out->pool, capacity);
    if (buf == NULL) {
        wire_writer_fail(out, APR_ENOMEM, "message", "no memory");
        return false;
    }
    if (out->length > 0)
        memcpy(buf, out->buf, out->length);
    out->buf = buf;
    out->capacity = capacity;
    return true;
}

void wire_put_raw(wire_writer_t *out, const void *data, apr_size_t length)
{
    uint8_t *p = length > 0 ? wire_room(out, length) : NULL;
    if (p != NULL)
        memcpy(p, data, length);
}

/* VALUE as base-128 into TO, which has 10 bytes; returns how many it took. */
static apr_size_t format_uvarlong(uint8_t *to, uint64_t value)
{
    apr_size_t length = 0;
    for (; value >= 0x80; value >>= 7)
        to[length++] = (uint8_t)(value | 0x80);
    to[length++] = (uint8_t)value;
    return length;
}

void wire_put_uvarlong(wire_writer_t *out, uint64_t value)
{
    uint8_t digits[10];
    wire_put_raw(out, digits, format_uvarlong(digits, value));
}

void wire_put_uvarint(wire_writer_t *out, uint32_t value)
{
    if (value < 0x80)
        wire_put_int8(out, (int8_t)value);
    else
        wire_put_uvarlong(out, value);
}

void wire_put_varint(wire_writer_t *out, int32_t value)
{
    wire_put_uvarint(out, (uint32_t)value << 1 ^ (value < 0 ? ~0u : 0));
}

void wire_put_varlong(wire_writer_t *out, int64_t value)
{
    wire_put_uvarlong(out,
                      (uint64_t)value << 1 ^ (value < 0 ? ~(uint64_t)0 : 0));
}

/* False, with the error noted, for a null where none may be. */
static bool check_null(wire_writer_t *out, int32_t length, bool nullable,
                       const char *field)
{
    if (length >= 0 || nullable)
        return true;
    wire_writer_fail(out, TAKHIN_ECORRUPT, field, "must not be null");
    return false;
}

void wire_put_count(wire_writer_t *out, int32_t count, bool compact,
                    bool nullable, const char *field)
{
    if (count < 0)
        count = -1;
    if (!check_null(out, count, nullable, field))
        return;
    if (compact)
        wire_put_uvarint(out, (uint32_t)count + 1);
    else
        wire_put_int32(out, count);
}

void wire_put_string(wire_writer_t *out, wire_string_t value, bool compact,
                     bool nullable, const char *field)
{
    if (value.length > WIRE_STRING_MAX) {
        wire_writer_fail(out, TAKHIN_ETOOBIG, field, "string too long");
        return;
    }
    if (compact)
        wire_put_count(out, value.length, true, nullable, field);
    else if (check_null(out, value.length, nullable, field))
        wire_put_int16(out, value.length < 0 ? -1 : (int16_t)value.length);
    if (value.length > 0)
        wire_put_raw(out, value.data, (apr_size_t)value.length);
}

void wire_put_bytes(wire_writer_t *out, wire_bytes_t value, bool compact,
                    bool nullable, const char *field)
{
    wire_put_count(out, value.length, compact, nullable, field);
    if (value.length > 0)
        wire_put_raw(out, value.data, (apr_size_t)value.length);
}

/* Notes that RECORDS come at this place. */
static void splice(wire_writer_t *out, const wire_records_t *records)
{
    if (out->splice_count == out->splice_capacity) {
        int capacity = out->splice_capacity > 0 ? 2 * out->splice_capacity : 8;
        wire_splice_t *grown =
            apr_palloc(out->pool, (apr_size_t)capacity * sizeof(*grown));
        if (grown == NULL) {
            wire_writer_fail(out, APR_ENOMEM, "records", "no memory");
            return;
        }
        if (out->splice_count > 0)
            memcpy(grown, out->splices,
                   (size_t)out->splice_count * sizeof(*grown));
        out->splices = grown;
        out->splice_capacity = capacity;
    }
    out->splices[out->splice_count++] = (wire_splice_t){out->length, records};
    out->spliced += (apr_size_t)records->length;
}

void wire_put_records(wire_writer_t *out, const wire_records_t *records,
                      bool compact, bool nullable, const char *field)
{
    wire_put_count(out, records->length, compact, nullable, field);
    if (records->length <= 0)
        return;
    if (records->ranges != NULL)
        splice(out, records);
    else
        wire_put_raw(out, records->data, (apr_size_t)records->length);
}

void wire_put_present(wire_writer_t *out, bool present, bool tagged,
                      bool nullable, const char *field)
{
    if (check_null(out, present ? 0 : -1, nullable, field))
        wire_put_int8(out, present ? 1 : tagged ? 0 : -1);
}

apr_size_t wire_put_tag(wire_writer_t *out, uint32_t tag)
{
    wire_put_uvarint(out, tag);
    return out->length;
}

void wire_put_tag_end(wire_writer_t *out, apr_size_t mark)
{
    uint8_t digits[10];
    apr_size_t size = out->length - mark;
    apr_size_t length = format_uvarlong(digits, size);

    if (wire_room(out, length) == NULL)
        return;
    memmove(out->buf + mark + length, out->buf + mark, size);
    memcpy(out->buf + mark, digits, length);
}
