/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a batch: plain ones by key and value, those of the broker's
 * own logs and control records by name and fields.
 */
#include <apr_strings.h>
#include <string.h>

#include "base/error.h"
#include "dump/dump.h"
#include "dump/text.h"
#include "protocol/api.h"
#include "record/builder.h"

#define MAX_UNPACKED ((size_t)1 << 30)

typedef struct {
    dump_t *dump;
    const char *path;
    int64_t position;
    int64_t offset;
} place_t;

dump_kind_t dump_kind_of(const dump_t *dump, const char *directory)
{
    static const struct {
        const char *prefix;
        dump_kind_t kind;
    } kinds[] = {{"__cluster_metadata-", DUMP_METADATA},
                 {"__consumer_offsets-", DUMP_GROUPS},
                 {"__transaction_state-", DUMP_TRANSACTIONS},
                 {"__share_group_state-", DUMP_SHARES}};
    const char *name = strrchr(directory, '/');

    if (dump->kind >= 0)
        return (dump_kind_t)dump->kind;
    name = name ? name + 1 : directory;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
            return kinds[i].kind;
    return DUMP_PLAIN;
}

static void record_problem(const place_t *place, const char *what)
{
    dump_problem(place->dump, place->path, place->position,
                 "record at offset %" APR_INT64_T_FMT ": %s", place->offset,
                 what);
}

/* "Name vN {fields}", or NULL with the problem said. */
static const char *message_text(const place_t *place,
                                const wire_message_t *type, int16_t version,
                                const uint8_t *data, apr_size_t length)
{
    dump_t *dump = place->dump;
    const char *error = NULL;
    const char *text =
        dump_fields(dump, type, version, data, length, dump->scratch, &error);

    if (!text) {
        record_problem(place, error);
        return NULL;
    }
    return apr_psprintf(dump->scratch, "%s v%d %s", type->name, (int)version,
                        text);
}

static const char *metadata_text(const place_t *place, const record_t *record)
{
    wire_reader_t in;
    uint32_t frame, key, version;
    const wire_message_t *type;

    if (record->value_length < 0) {
        record_problem(place, "has no value");
        return NULL;
    }
    wire_reader_init(&in, record->value, (apr_size_t)record->value_length,
                     place->dump->scratch);
    frame = wire_get_uvarint(&in, "frame version");
    key = wire_get_uvarint(&in, "record type");
    version = wire_get_uvarint(&in, "record version");
    type = key < INT16_MAX ? metadata_record((int16_t)key) : NULL;
    if (!wire_reader_ok(&in) || frame != 1 || !type || version > INT16_MAX) {
        record_problem(place, apr_psprintf(place->dump->scratch,
                                           "frame version %u, record type %u: "
                                           "not known",
                                           (unsigned)frame, (unsigned)key));
        return NULL;
    }
    return message_text(place, type, (int16_t)version, in.p, wire_left(&in));
}

typedef const wire_message_t *(*lookup_fn)(int16_t key);

/* Records of a coordinator: the key begins with its type, the value with its
 * version. */
static const char *coordinator_text(const place_t *place,
                                    const record_t *record, lookup_fn of_key,
                                    lookup_fn of_value)
{
    const char *key, *value;
    const wire_message_t *type;
    int16_t number;

    if (record->key_length < 2) {
        record_problem(place, "its key has no type");
        return NULL;
    }
    number = bytes_get_i16(record->key);
    type = of_key(number);
    if (!type) {
        dump_note(place->dump, place->path, place->position,
                  "record at offset %" APR_INT64_T_FMT ": unknown type %d",
                  place->offset, (int)number);
        return NULL;
    }
    key = message_text(place, type, 0, record->key + 2,
                       (apr_size_t)record->key_length - 2);
    if (!key)
        return NULL;
    if (record->value_length < 0)
        return apr_pstrcat(place->dump->scratch, key, " -> null", NULL);
    if (record->value_length < 2) {
        record_problem(place, "its value has no version");
        return NULL;
    }
    value =
        message_text(place, of_value(number), bytes_get_i16(record->value),
                     record->value + 2, (apr_size_t)record->value_length - 2);
    return value ? apr_pstrcat(place->dump->scratch, key, " -> ", value, NULL)
                 : NULL;
}

static const char *control_text(const place_t *place, const record_t *record)
{
    static const struct {
        const char *name;    /* of the record */
        const char *message; /* of its value */
    } types[] = {{"abort", "EndTxnMarker"},
                 {"commit", "EndTxnMarker"},
                 {"leader change", "LeaderChangeMessage"},
                 {"snapshot header", "SnapshotHeaderRecord"},
                 {"snapshot footer", "SnapshotFooterRecord"},
                 {"kraft version", "KRaftVersionRecord"},
                 {"voters", "VotersRecord"}};
    int type = record_control_type(record);
    const char *text;

    if (type < 0 || record->value_length < 2) {
        record_problem(place, "is no control record");
        return NULL;
    }
    if (type >= (int)(sizeof(types) / sizeof(*types)))
        return apr_psprintf(place->dump->scratch, "control %d", type);
    /* each begins with its version; of a marker that is not a field */
    text = message_text(place, protocol_message(types[type].message),
                        type < 2 ? 0 : bytes_get_i16(record->value),
                        record->value + (type < 2 ? 2 : 0),
                        (apr_size_t)record->value_length - (type < 2 ? 2 : 0));
    return text ? apr_psprintf(place->dump->scratch, "control %s %s",
                               types[type].name, text)
                : NULL;
}

static const char *plain_text(const place_t *place, const record_t *record)
{
    const dump_t *dump = place->dump;
    const uint8_t *headers = record->headers;
    record_header_t header;
    text_t text;

    text_init(&text, dump->scratch);
    text_add(
        &text, "key %s value %s",
        dump_text(dump, record->key, record->key_length, dump->scratch),
        dump_text(dump, record->value, record->value_length, dump->scratch));
    for (int32_t i = 0; i < record->header_count; i++) {
        record_header_next(&headers, &header);
        text_add(
            &text, "%s%s: %s", i ? ", " : " headers {",
            dump_text(dump, header.key, header.key_length, dump->scratch),
            dump_text(dump, header.value, header.value_length, dump->scratch));
    }
    if (record->header_count > 0)
        text_add(&text, "}");
    return text.data;
}

static void dump_record(const place_t *place, dump_kind_t kind,
                        const record_batch_t *batch, const record_t *record)
{
    const char *text;

    if (record_batch_is_control(batch))
        text = control_text(place, record);
    else if (kind == DUMP_METADATA)
        text = metadata_text(place, record);
    else if (kind == DUMP_GROUPS)
        text = coordinator_text(place, record, group_record_key,
                                group_record_value);
    else if (kind == DUMP_TRANSACTIONS)
        text = coordinator_text(place, record, transaction_record_key,
                                transaction_record_value);
    else if (kind == DUMP_SHARES)
        text = coordinator_text(place, record, share_record_key,
                                share_record_value);
    else if (place->dump->verify)
        text = NULL;
    else
        text = plain_text(place, record);
    if (text && place->dump->records)
        dump_line(place->dump,
                  "  record %" APR_INT64_T_FMT " timestamp %" APR_INT64_T_FMT
                  " %s",
                  record->offset, record->timestamp, text);
}

/* Whether OFFSET may follow LAST in BATCH. A wrapper of magic 1 has the offset
 * of its last record, one of magic 0 may have any below. */
static int offset_fits(const record_batch_t *batch, int64_t offset,
                       int64_t last)
{
    if (offset <= last || offset > record_batch_last_offset(batch))
        return 0;
    return batch->magic < 2 || offset >= batch->base_offset;
}

void dump_records(dump_t *dump, const char *path, int64_t position,
                  dump_kind_t kind, const record_batch_t *batch,
                  const uint8_t *data)
{
    place_t place = {dump, path, position, batch->base_offset};
    record_iterator_t iterator;
    record_t record;
    int64_t last = -1;
    char why[128];
    apr_status_t status = record_iterator_init(&iterator, batch, data,
                                               &dump->codec, MAX_UNPACKED);

    while (!status) {
        status = record_iterator_next(&iterator, &record);
        if (status)
            break;
        place.offset = record.offset;
        if (!offset_fits(batch, record.offset, last))
            record_problem(&place, "its offset does not ascend in its batch");
        last = record.offset;
        dump->record_count++;
        dump_record(&place, kind, batch, &record);
        apr_pool_clear(dump->scratch);
    }
    if (!APR_STATUS_IS_EOF(status))
        dump_problem(
            dump, path, position,
            "the records of the batch at offset %" APR_INT64_T_FMT ": %s",
            batch->base_offset, takhin_strerror(status, why, sizeof(why)));
    record_scratch_trim(&dump->codec, 1 << 20);
}
