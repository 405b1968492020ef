/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction between its record and its values. */
#include "coordinator/transaction_log.h"

#include "base/error.h"
#include "protocol/transaction_log_key.h"
#include "protocol/transaction_log_value.h"

enum { KEY_VERSION = 0, VALUE_VERSION_MAX = 1 };

typedef transaction_log_value_partitions_schema_t topic_partitions_t;

/* ---- writing ------------------------------------------------------------ */

static void put_partitions(transaction_log_value_t *value,
                           const transaction_partitions_t *set,
                           apr_pool_t *pool)
{
    int32_t topics = 0;
    size_t room = (size_t)set->count + 1;
    topic_partitions_t *out = apr_palloc(pool, room * sizeof *out);
    int32_t *indexes = apr_palloc(pool, room * sizeof *indexes);

    for (int32_t i = 0; i < set->count;) {
        int32_t count = transaction_partitions_of_topic(set, i);

        transaction_log_value_partitions_schema_init(&out[topics]);
        out[topics].topic = set->items[i].topic;
        out[topics].partition_ids = &indexes[i];
        out[topics].partition_ids_count = count;
        for (int32_t end = i + count; i < end; i++)
            indexes[i] = set->items[i].index;
        topics++;
    }
    value->transaction_partitions = out;
    value->transaction_partitions_count = topics;
}

static void put_value(wire_writer_t *out, const transaction_values_t *values,
                      int16_t version, apr_pool_t *pool)
{
    transaction_log_value_t value;

    transaction_log_value_init(&value);
    value.producer_id = values->producer_id;
    value.producer_epoch = values->producer_epoch;
    value.transaction_timeout_ms = values->timeout_ms;
    value.transaction_status = (int8_t)values->status;
    value.transaction_last_update_timestamp_ms = values->update_ms;
    value.transaction_start_timestamp_ms = values->start_ms;
    if (version > 0) {
        value.previous_producer_id = values->previous_producer_id;
        value.next_producer_id = values->next_producer_id;
        value.client_transaction_version = values->client_version;
    }
    if (values->status == TRANSACTION_EMPTY)
        value.transaction_partitions_count = -1;
    else
        put_partitions(&value, &values->partitions, pool);
    wire_put_int16(out, version);
    transaction_log_value_encode(&value, out, version);
}

static apr_status_t put_record(record_builder_t *builder, wire_string_t id,
                               const transaction_values_t *values, int flexible,
                               int64_t now, apr_pool_t *pool)
{
    transaction_log_key_t key = {.transactional_id = id};
    wire_writer_t key_out, value_out;
    record_t record = {.timestamp = now, .value_length = -1};

    wire_writer_init(&key_out, pool, 64);
    wire_put_int16(&key_out, KEY_VERSION);
    transaction_log_key_encode(&key, &key_out, KEY_VERSION);
    if (!wire_writer_ok(&key_out))
        return key_out.status;
    record.key = key_out.buf;
    record.key_length = (int32_t)key_out.length;
    if (values) {
        wire_writer_init(&value_out, pool, 256);
        put_value(&value_out, values, flexible ? VALUE_VERSION_MAX : 0, pool);
        if (!wire_writer_ok(&value_out))
            return value_out.status;
        record.value = value_out.buf;
        record.value_length = (int32_t)value_out.length;
    }
    return record_builder_append(builder, &record);
}

apr_status_t transaction_log_write(record_builder_t *builder, wire_string_t id,
                                   const transaction_values_t *values,
                                   int flexible, int64_t now, uint8_t **data,
                                   size_t *length)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, NULL);

    if (status)
        return status;
    status = record_builder_begin(builder, &options);
    if (!status)
        status = put_record(builder, id, values, flexible, now, pool);
    if (!status)
        status = record_builder_finish(builder, data, length);
    apr_pool_destroy(pool);
    return status;
}

/* ---- reading ------------------------------------------------------------ */

static apr_status_t read_key(const record_t *record, wire_string_t *id,
                             apr_pool_t *scratch)
{
    wire_reader_t in;
    transaction_log_key_t key;
    int16_t version;

    if (record->key_length < 2)
        return TAKHIN_ECORRUPT;
    wire_reader_init(&in, record->key, (apr_size_t)record->key_length, scratch);
    version = wire_get_int16(&in, "version");
    if (version != KEY_VERSION)
        return TAKHIN_EUNSUPPORTED;
    *id = WIRE_STRING_NULL;
    if (!transaction_log_key_decode(&key, &in, version))
        *id = key.transactional_id;
    return in.status;
}

static void take_value(transaction_values_t *values,
                       const transaction_log_value_t *value)
{
    values->status = (transaction_status_t)value->transaction_status;
    values->producer_id = value->producer_id;
    values->previous_producer_id = value->previous_producer_id;
    values->next_producer_id = value->next_producer_id;
    values->producer_epoch = value->producer_epoch;
    values->client_version = value->client_transaction_version;
    values->timeout_ms = value->transaction_timeout_ms;
    values->start_ms = value->transaction_start_timestamp_ms;
    values->update_ms = value->transaction_last_update_timestamp_ms;
    for (int32_t t = 0; t < value->transaction_partitions_count; t++) {
        const topic_partitions_t *topic = &value->transaction_partitions[t];

        for (int32_t p = 0; p < topic->partition_ids_count; p++)
            transaction_partitions_add(&values->partitions, topic->topic,
                                       topic->partition_ids[p]);
    }
}

apr_status_t transaction_log_read(const record_t *record, wire_string_t *id,
                                  transaction_values_t *values, int *tombstone,
                                  apr_pool_t *scratch)
{
    wire_reader_t in;
    transaction_log_value_t value;
    apr_status_t status = read_key(record, id, scratch);
    int16_t version;

    transaction_values_init(values);
    *tombstone = record->value_length < 0;
    if (status || *tombstone)
        return status;
    wire_reader_init(&in, record->value, (apr_size_t)record->value_length,
                     scratch);
    version = wire_get_int16(&in, "version");
    if (version < 0 || version > VALUE_VERSION_MAX)
        return TAKHIN_EUNSUPPORTED;
    if (transaction_log_value_decode(&value, &in, version))
        return in.status;
    if (!transaction_status_name(value.transaction_status))
        return TAKHIN_ECORRUPT;
    take_value(values, &value);
    return APR_SUCCESS;
}
