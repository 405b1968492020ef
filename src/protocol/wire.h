/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime of the generated codec: Kafka's primitive types between bytes and
 * C values. Every length from outside is checked here and nowhere else, so the
 * generated code is a straight line of calls. Decoded strings, bytes and
 * records point into the frame; arrays live in the reader's pool. Nothing here
 * may read behind the frame, or allocate an array that its bytes cannot fill.
 *
 * Errors stick: after the first one a reader yields zeros and empty arrays, and
 * what a writer holds is of no use, so that only the end needs to be checked.
 * A reader or writer belongs to one thread at a time.
 *
 * Specification: the Kafka protocol guide, KIP-482 (flexible versions).
 */
#ifndef TAKHIN_PROTOCOL_WIRE_H
#define TAKHIN_PROTOCOL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/bytes.h"
#include "base/uuid.h"

/* UTF-8, not NUL-terminated; LENGTH in bytes, -1: null. */
typedef struct wire_string_t {
    const char *data;
    int32_t length;
} wire_string_t;

/* LENGTH -1: null. */
typedef struct wire_bytes_t {
    const uint8_t *data;
    int32_t length;
} wire_bytes_t;

typedef struct wire_uuid_t {
    uint8_t bytes[16];
} wire_uuid_t;

/*
 * Record batches. Decoded, DATA points into the frame. To be encoded with
 * RANGES set, no byte is copied: the length prefix is written and a splice is
 * noted at this place of the output, LENGTH is the total of what the ranges
 * hold. LENGTH -1: null.
 */
typedef struct wire_records_t {
    const uint8_t *data;
    int32_t length;
    void *ranges;
} wire_records_t;

/* Reads one frame. Everything but the functions below leaves it alone. */
typedef struct wire_reader_t {
    const uint8_t *p; /* the next byte */
    const uint8_t *end;
    const uint8_t *start;
    apr_pool_t *pool;    /* for arrays; may be NULL when none is read */
    apr_status_t status; /* the first error */
    const char *error;   /* what was wrong: static text */
    const char *field;   /* where: a field's name, static text */
    apr_size_t error_at; /* and at which byte of the frame */
} wire_reader_t;

/* Here the bytes of RECORDS come, between buf[at - 1] and buf[at]. */
typedef struct wire_splice_t {
    apr_size_t at;
    const wire_records_t *records;
} wire_splice_t;

typedef struct wire_writer_t {
    uint8_t *buf;
    apr_size_t length; /* written so far, without what is spliced in */
    apr_size_t capacity;
    apr_pool_t *pool;
    wire_splice_t *splices; /* in the order of their places */
    int splice_count;
    int splice_capacity;
    apr_size_t spliced; /* bytes of all splices */
    apr_status_t status;
    const char *error;
    const char *field;
} wire_writer_t;

/* One message: what is needed to handle it without knowing its struct. */
typedef struct wire_message_t {
    const char *name; /* "FetchRequest" */
    int16_t key;      /* of the API or record, -1: has none */
    int16_t min_version;
    int16_t max_version;
    int16_t flexible; /* first flexible version, INT16_MAX: none */
    bool unstable;    /* the highest version is not released yet */
    apr_size_t size;  /* of the struct */
    int throttle;     /* offset in it of throttle_time_ms, -1: has none */
    void (*init)(void *message);
    void (*decode)(void *message, wire_reader_t *in, int16_t version);
    void (*encode)(const void *message, wire_writer_t *out, int16_t version);
} wire_message_t;

/*
 * Decodes what IN holds into MESSAGE, the struct of TYPE, at VERSION. All of
 * MESSAGE is set: a field that the version lacks gets its default. Bytes left
 * behind the message are not an error (as in Kafka): see wire_left.
 * TAKHIN_EUNSUPPORTED: no such version. TAKHIN_ETRUNCATED: the frame ends too
 * early. TAKHIN_ECORRUPT: a bad length, varint, or a null where none may be.
 */
apr_status_t wire_message_decode(const wire_message_t *type, void *message,
                                 wire_reader_t *in, int16_t version);

/*
 * Appends MESSAGE at VERSION to OUT. TAKHIN_EUNSUPPORTED: no such version, or a
 * field is set that the version cannot carry and that may not be ignored.
 * TAKHIN_ETOOBIG: a string above 32,767 bytes. TAKHIN_ECORRUPT: a null where
 * none may be.
 */
apr_status_t wire_message_encode(const wire_message_t *type,
                                 const void *message, wire_writer_t *out,
                                 int16_t version);

/* ---- Strings and ids -------------------------------------------------- */

#define wire_string_literal(text) \
    ((wire_string_t){"" text, (int32_t)(sizeof(text) - 1)})
#define WIRE_STRING_NULL  ((wire_string_t){NULL, -1})
#define WIRE_BYTES_NULL   ((wire_bytes_t){NULL, -1})
#define WIRE_RECORDS_NULL ((wire_records_t){NULL, -1, NULL})

/* TEXT itself, not a copy; NULL becomes null. */
wire_string_t wire_string_from(const char *text);

/* Null equals null only. */
bool wire_string_equal(wire_string_t a, wire_string_t b);
bool wire_string_equal_text(wire_string_t a, const char *text);

/* A NUL-terminated copy in POOL; NULL for null. */
char *wire_string_dup(wire_string_t string, apr_pool_t *pool);

static inline bool wire_string_is_null(wire_string_t string)
{
    return string.length < 0;
}

static inline bool wire_string_is_empty(wire_string_t string)
{
    return string.length <= 0;
}

static inline bool wire_uuid_equal(const wire_uuid_t *a, const wire_uuid_t *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static inline bool wire_uuid_is_zero(const wire_uuid_t *uuid)
{
    return uuid_is_zero(uuid->bytes) != 0;
}

#define WIRE_UUID_TEXT_LENGTH UUID_TEXT_LENGTH

/* Kafka's text form, NUL-terminated, into TEXT of WIRE_UUID_TEXT_LENGTH + 1
 * bytes, which is returned. */
static inline char *wire_uuid_format(const wire_uuid_t *uuid, char *text)
{
    return uuid_to_text(text, uuid->bytes);
}

/* The reverse. TAKHIN_ECORRUPT when TEXT is not such a form. */
static inline apr_status_t wire_uuid_parse(wire_uuid_t *uuid,
                                           wire_string_t text)
{
    return uuid_from_text(uuid->bytes, text.length > 0 ? text.data : "",
                          text.length > 0 ? (apr_size_t)text.length : 0);
}

/* A random one, as uuid_random. */
static inline apr_status_t wire_uuid_random(wire_uuid_t *uuid)
{
    return uuid_random(uuid->bytes);
}

/* ---- Reading ---------------------------------------------------------- */

/* POOL is where arrays go. DATA must outlive what is decoded from it. */
void wire_reader_init(wire_reader_t *in, const void *data, apr_size_t length,
                      apr_pool_t *pool);

static inline bool wire_reader_ok(const wire_reader_t *in)
{
    return in->status == APR_SUCCESS;
}

/* Bytes not read yet. */
static inline apr_size_t wire_left(const wire_reader_t *in)
{
    return (apr_size_t)(in->end - in->p);
}

/* "Topics at byte 12: longer than the frame", in POOL; NULL without error. */
const char *wire_reader_error(const wire_reader_t *in, apr_pool_t *pool);

/* Notes the first error and moves IN to its end. */
void wire_reader_fail(wire_reader_t *in, apr_status_t status, const char *field,
                      const char *error);

/* The next LENGTH bytes, or NULL and an error when there are fewer. */
static inline const uint8_t *wire_take(wire_reader_t *in, apr_size_t length,
                                       const char *field)
{
    const uint8_t *p = in->p;
    if (wire_left(in) < length) {
        wire_reader_fail(in, APR_SUCCESS, field, NULL);
        return NULL;
    }
    in->p += length;
    return p;
}

/* FIELD names the field for an error's text, here and below. */
static inline int8_t wire_get_int8(wire_reader_t *in, const char *field)
{
    const uint8_t *p = wire_take(in, 1, field);
    return p != NULL ? (int8_t)*p : 0;
}

static inline bool wire_get_bool(wire_reader_t *in, const char *field)
{
    return wire_get_int8(in, field) != 0;
}

static inline int16_t wire_get_int16(wire_reader_t *in, const char *field)
{
    const uint8_t *p = wire_take(in, 2, field);
    return p != NULL ? bytes_get_i16(p) : 0;
}

static inline uint16_t wire_get_uint16(wire_reader_t *in, const char *field)
{
    return (uint16_t)wire_get_int16(in, field);
}

static inline int32_t wire_get_int32(wire_reader_t *in, const char *field)
{
    const uint8_t *p = wire_take(in, 4, field);
    return p != NULL ? bytes_get_i32(p) : 0;
}

static inline uint32_t wire_get_uint32(wire_reader_t *in, const char *field)
{
    return (uint32_t)wire_get_int32(in, field);
}

static inline int64_t wire_get_int64(wire_reader_t *in, const char *field)
{
    const uint8_t *p = wire_take(in, 8, field);
    return p != NULL ? bytes_get_i64(p) : 0;
}

static inline double wire_get_float64(wire_reader_t *in, const char *field)
{
    int64_t bits = wire_get_int64(in, field);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline wire_uuid_t wire_get_uuid(wire_reader_t *in, const char *field)
{
    wire_uuid_t uuid = {{0}};
    const uint8_t *p = wire_take(in, sizeof(uuid.bytes), field);
    if (p != NULL)
        memcpy(uuid.bytes, p, sizeof(uuid.bytes));
    return uuid;
}

/* Unsigned base-128, at most 5 bytes and 32 bits. */
uint32_t wire_get_uvarint(wire_reader_t *in, const char *field);
uint64_t wire_get_uvarlong(wire_reader_t *in, const char *field);

/* The same with zigzag, as in records. */
int32_t wire_get_varint(wire_reader_t *in, const char *field);
int64_t wire_get_varlong(wire_reader_t *in, const char *field);

/* COMPACT: the length is an unsigned varint, one more than it says. */
wire_string_t wire_get_string(wire_reader_t *in, bool compact, bool nullable,
                              const char *field);
wire_bytes_t wire_get_bytes(wire_reader_t *in, bool compact, bool nullable,
                            const char *field);
wire_records_t wire_get_records(wire_reader_t *in, bool compact, bool nullable,
                                const char *field);

/*
 * An array's count into *COUNT (-1: null), and memory for as many elements of
 * SIZE bytes. LEAST is what an element takes on the wire at least: a count
 * whose elements cannot fit in the bytes left is an error, and nothing is
 * allocated.
 */
void *wire_get_array(wire_reader_t *in, int32_t *count, bool compact,
                     bool nullable, apr_size_t least, apr_size_t size,
                     const char *field);

/* SIZE bytes of the reader's pool, or NULL and an error. */
void *wire_alloc(wire_reader_t *in, apr_size_t size, const char *field);

/* Whether a nullable struct follows: memory of SIZE bytes for it, or NULL. As
 * a TAGGED field null is written as 0, else as -1. */
void *wire_get_struct(wire_reader_t *in, bool tagged, bool nullable,
                      apr_size_t size, const char *field);

/*
 * A tagged field: its number into *TAG, and IN narrowed to its bytes. Returns
 * the frame's true end, for wire_get_tag_end, which is an error when the field
 * was not read exactly to its end.
 */
const uint8_t *wire_get_tag(wire_reader_t *in, uint32_t *tag);
void wire_get_tag_end(wire_reader_t *in, const uint8_t *end);

/* A tagged field nobody knows: its bytes are passed over. */
static inline void wire_skip_tag(wire_reader_t *in)
{
    in->p = in->end;
}

/* All tagged fields of a struct that knows none. */
void wire_skip_tags(wire_reader_t *in);

/* ---- Writing ---------------------------------------------------------- */

/* EXPECTED bytes are made room for at once; more is found as needed. */
void wire_writer_init(wire_writer_t *out, apr_pool_t *pool,
                      apr_size_t expected);

static inline bool wire_writer_ok(const wire_writer_t *out)
{
    return out->status == APR_SUCCESS;
}

/* What goes out, with what is spliced in. */
static inline apr_size_t wire_writer_total(const wire_writer_t *out)
{
    return out->length + out->spliced;
}

/* As wire_reader_error. */
const char *wire_writer_error(const wire_writer_t *out, apr_pool_t *pool);

/* Notes the first error. */
void wire_writer_fail(wire_writer_t *out, apr_status_t status,
                      const char *field, const char *error);

/* FIELD is set, and the version cannot carry it. */
void wire_writer_lacks(wire_writer_t *out, const char *field);

/* Makes room for MORE bytes. False, with the error noted, when it cannot. */
bool wire_writer_grow(wire_writer_t *out, apr_size_t more);

/* Room for LENGTH bytes that count as written, or NULL after an error. */
static inline uint8_t *wire_room(wire_writer_t *out, apr_size_t length)
{
    uint8_t *p;
    if (out->capacity - out->length < length && !wire_writer_grow(out, length))
        return NULL;
    p = out->buf + out->length;
    out->length += length;
    return p;
}

static inline void wire_put_int8(wire_writer_t *out, int8_t value)
{
    uint8_t *p = wire_room(out, 1);
    if (p != NULL)
        *p = (uint8_t)value;
}

static inline void wire_put_bool(wire_writer_t *out, bool value)
{
    wire_put_int8(out, value ? 1 : 0);
}

static inline void wire_put_int16(wire_writer_t *out, int16_t value)
{
    uint8_t *p = wire_room(out, 2);
    if (p != NULL)
        bytes_put_i16(p, value);
}

static inline void wire_put_uint16(wire_writer_t *out, uint16_t value)
{
    wire_put_int16(out, (int16_t)value);
}

static inline void wire_put_int32(wire_writer_t *out, int32_t value)
{
    uint8_t *p = wire_room(out, 4);
    if (p != NULL)
        bytes_put_i32(p, value);
}

static inline void wire_put_uint32(wire_writer_t *out, uint32_t value)
{
    wire_put_int32(out, (int32_t)value);
}

static inline void wire_put_int64(wire_writer_t *out, int64_t value)
{
    uint8_t *p = wire_room(out, 8);
    if (p != NULL)
        bytes_put_i64(p, value);
}

static inline void wire_put_float64(wire_writer_t *out, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    wire_put_int64(out, bits);
}

static inline void wire_put_uuid(wire_writer_t *out, wire_uuid_t value)
{
    uint8_t *p = wire_room(out, sizeof(value.bytes));
    if (p != NULL)
        memcpy(p, value.bytes, sizeof(value.bytes));
}

void wire_put_raw(wire_writer_t *out, const void *data, apr_size_t length);

void wire_put_uvarint(wire_writer_t *out, uint32_t value);
void wire_put_uvarlong(wire_writer_t *out, uint64_t value);
void wire_put_varint(wire_writer_t *out, int32_t value);
void wire_put_varlong(wire_writer_t *out, int64_t value);

void wire_put_string(wire_writer_t *out, wire_string_t value, bool compact,
                     bool nullable, const char *field);
void wire_put_bytes(wire_writer_t *out, wire_bytes_t value, bool compact,
                    bool nullable, const char *field);

/* RECORDS must outlive OUT when they have ranges. */
void wire_put_records(wire_writer_t *out, const wire_records_t *records,
                      bool compact, bool nullable, const char *field);

/* An array's count; its elements follow. */
void wire_put_count(wire_writer_t *out, int32_t count, bool compact,
                    bool nullable, const char *field);

/* Whether a nullable struct follows. */
void wire_put_present(wire_writer_t *out, bool present, bool tagged,
                      bool nullable, const char *field);

/* A tagged field: its value is written between these two; the first returns
 * the mark that the second needs. No splice may fall between them. */
apr_size_t wire_put_tag(wire_writer_t *out, uint32_t tag);
void wire_put_tag_end(wire_writer_t *out, apr_size_t mark);

#endif
