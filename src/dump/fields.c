/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as text, from their schemas: no struct is decoded. The reader checks
 * every length, so this may be given any bytes.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/error.h"
#include "dump/dump.h"
#include "dump/text.h"
#include "protocol/fields.h"

#define CUT_AT 120 /* bytes of a key or value that are printed */

typedef struct {
    const dump_t *dump;
    text_t *text;
    wire_reader_t *in;
    int16_t version;
    bool flexible;
} walk_t;

const char *dump_text(const dump_t *dump, const void *data, int32_t length,
                      apr_pool_t *pool)
{
    text_t text;

    text_init(&text, pool);
    text_add_bytes(&text, data, length, dump->whole ? INT32_MAX : CUT_AT);
    return text.data;
}

static bool in_range(int16_t version, int16_t low, int16_t high)
{
    return version >= low && version <= high;
}

static void add_integer(walk_t *walk, const wire_field_t *field)
{
    wire_reader_t *in = walk->in;
    int64_t value = 0;

    switch (field->type) {
    case WIRE_INT8:
        value = wire_get_int8(in, field->name);
        break;
    case WIRE_INT16:
        value = wire_get_int16(in, field->name);
        break;
    case WIRE_UINT16:
        value = wire_get_uint16(in, field->name);
        break;
    case WIRE_INT32:
        value = wire_get_int32(in, field->name);
        break;
    case WIRE_UINT32:
        value = wire_get_uint32(in, field->name);
        break;
    default:
        value = wire_get_int64(in, field->name);
        break;
    }
    text_add(walk->text, "%" APR_INT64_T_FMT, value);
}

static void add_fields(walk_t *walk, const wire_field_t *fields);

static void add_struct(walk_t *walk, const wire_field_t *field, bool element)
{
    bool nullable = field->nullable_max >= field->nullable_min && !element;

    /* as the generated decoder: a nullable struct has a byte ahead of it */
    if (nullable) {
        int8_t present = wire_get_int8(walk->in, field->name);

        if (field->tag >= 0 ? present == 0 : present < 0) {
            text_add(walk->text, "null");
            return;
        }
    }
    add_fields(walk, field->fields);
}

static void add_value(walk_t *walk, const wire_field_t *field, bool element)
{
    bool nullable = !element && in_range(walk->version, field->nullable_min,
                                         field->nullable_max);
    wire_reader_t *in = walk->in;
    char id[WIRE_UUID_TEXT_LENGTH + 1];
    wire_bytes_t bytes;
    wire_string_t string;
    wire_uuid_t uuid;

    switch (field->type) {
    case WIRE_STRUCT:
        add_struct(walk, field, element);
        break;
    case WIRE_BOOL:
        text_add(walk->text, wire_get_bool(in, field->name) ? "true" : "false");
        break;
    case WIRE_FLOAT64:
        text_add(walk->text, "%g", wire_get_float64(in, field->name));
        break;
    case WIRE_UUID:
        uuid = wire_get_uuid(in, field->name);
        text_add(walk->text, "%s", wire_uuid_format(&uuid, id));
        break;
    case WIRE_STRING:
        string = wire_get_string(in, walk->flexible, nullable, field->name);
        text_add_bytes(walk->text, string.data, string.length, INT32_MAX);
        break;
    case WIRE_BYTES:
    case WIRE_RECORDS:
        bytes = wire_get_bytes(in, walk->flexible, nullable, field->name);
        text_add_bytes(walk->text, bytes.data, bytes.length,
                       walk->dump->whole ? INT32_MAX : CUT_AT);
        break;
    default:
        add_integer(walk, field);
        break;
    }
}

static void add_array(walk_t *walk, const wire_field_t *field)
{
    bool nullable =
        in_range(walk->version, field->nullable_min, field->nullable_max);
    int32_t count;

    /* no element is empty on the wire, so the count is bounded by the bytes */
    wire_get_array(walk->in, &count, walk->flexible, nullable, 1, 0,
                   field->name);
    if (count < 0) {
        text_add(walk->text, "null");
        return;
    }
    text_add(walk->text, "[");
    for (int32_t i = 0; i < count && wire_reader_ok(walk->in); i++) {
        if (i > 0)
            text_add(walk->text, ", ");
        add_value(walk, field, true);
    }
    text_add(walk->text, "]");
}

static void add_named(walk_t *walk, const wire_field_t *field, bool *any)
{
    text_add(walk->text, "%s%s: ", *any ? ", " : "", field->name);
    *any = true;
    if (field->array)
        add_array(walk, field);
    else
        add_value(walk, field, false);
}

static void add_tagged(walk_t *walk, const wire_field_t *fields, bool *any)
{
    uint32_t count = wire_get_uvarint(walk->in, "tagged fields");

    for (; count > 0 && wire_reader_ok(walk->in); count--) {
        uint32_t tag;
        const uint8_t *end = wire_get_tag(walk->in, &tag);
        const wire_field_t *field = fields;

        while (field->name &&
               (field->tag < 0 || (uint32_t)field->tag != tag ||
                !in_range(walk->version, field->min, field->max)))
            field++;
        if (field->name) {
            add_named(walk, field, any);
        } else {
            text_add(walk->text, "%stag %u: %u bytes", *any ? ", " : "",
                     (unsigned)tag, (unsigned)wire_left(walk->in));
            *any = true;
            wire_skip_tag(walk->in);
        }
        wire_get_tag_end(walk->in, end);
    }
}

static void add_fields(walk_t *walk, const wire_field_t *fields)
{
    bool any = false;

    text_add(walk->text, "{");
    for (const wire_field_t *field = fields; field->name; field++)
        if (field->tag < 0 && in_range(walk->version, field->min, field->max))
            add_named(walk, field, &any);
    if (walk->flexible)
        add_tagged(walk, fields, &any);
    text_add(walk->text, "}");
}

const char *dump_fields(const dump_t *dump, const wire_message_t *type,
                        int16_t version, const uint8_t *data, apr_size_t length,
                        apr_pool_t *pool, const char **error)
{
    const wire_field_t *fields = wire_fields(type);
    wire_reader_t in;
    text_t text;
    walk_t walk = {dump, &text, &in, version, version >= type->flexible};

    if (version < type->min_version || version > type->max_version) {
        *error = apr_psprintf(pool, "%s of unknown version %d", type->name,
                              (int)version);
        return NULL;
    }
    text_init(&text, pool);
    wire_reader_init(&in, data, length, pool);
    add_fields(&walk, fields);
    if (wire_reader_ok(&in) && wire_left(&in) > 0)
        *error = apr_psprintf(pool, "%s: %" APR_SIZE_T_FMT " bytes left over",
                              type->name, wire_left(&in));
    else if (!wire_reader_ok(&in))
        *error = apr_psprintf(pool, "%s: %s", type->name,
                              wire_reader_error(&in, pool));
    else
        return text.data;
    return NULL;
}
