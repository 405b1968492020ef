/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AlterClientQuotas (KIP-546): sets and removes quotas of users, client ids,
 * both, or addresses. An entity is changed as a whole or not at all.
 */
#include <apr_strings.h>
#include <math.h>
#include <string.h>

#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "metadata/frame.h"
#include "protocol/alter_client_quotas_request.h"
#include "protocol/alter_client_quotas_response.h"
#include "protocol/client_quota_record.h"
#include "protocol/error_code.h"

typedef alter_client_quotas_request_entry_data_t asked_t;
typedef alter_client_quotas_request_op_data_t operation_t;
typedef alter_client_quotas_response_entry_data_t result_t;

typedef struct {
    request_t *request;
    const metadata_image_t *image;
    metadata_record_t *records;
    int count;
} alter_t;

static int refuse(result_t *result, const char *why)
{
    result->error_code = KAFKA_INVALID_REQUEST;
    result->error_message = wire_string_from(why);
    return 0;
}

/* ---- whose quota -------------------------------------------------------------- */

enum { USER = 1, CLIENT_ID = 2, IP = 4 };

static int part_of(wire_string_t type)
{
    if (wire_string_equal_text(type, "user"))
        return USER;
    if (wire_string_equal_text(type, "client-id"))
        return CLIENT_ID;
    return wire_string_equal_text(type, "ip") ? IP : 0;
}

/* Sets *PARTS to the bits above; 0 when there is no such entity. */
static int check_entity(const asked_t *asked, int *parts, result_t *result)
{
    *parts = 0;
    for (int32_t i = 0; i < asked->entity_count; i++) {
        int part = part_of(asked->entity[i].entity_type);

        if (!part)
            return refuse(result, "Unhandled client quota entity type");
        if (asked->entity[i].entity_name.length == 0)
            return refuse(result, "an entity's name is empty");
        *parts |= part;
    }
    if (!*parts)
        return refuse(result, "Invalid empty client quota entity");
    if ((*parts & IP) && *parts != IP)
        return refuse(result, "an address cannot be combined with a user or "
                              "client id");
    return 1;
}

/* ---- which quota --------------------------------------------------------------- */

static const struct {
    const char *key;
    int parts;  /* of which entities: bits */
    double max; /* of whole numbers; 0: any number */
} keys[] = {{"producer_byte_rate", USER | CLIENT_ID, 9223372036854775807.0},
            {"consumer_byte_rate", USER | CLIENT_ID, 9223372036854775807.0},
            {"request_percentage", USER | CLIENT_ID, 0},
            {"controller_mutation_rate", USER | CLIENT_ID, 0},
            {"connection_creation_rate", IP, 2147483647.0}};

static int check_value(int parts, const operation_t *operation,
                       result_t *result)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        double value = operation->value;

        if (!(keys[i].parts & parts) ||
            !wire_string_equal_text(operation->key, keys[i].key))
            continue;
        if (!(value > 0))
            return refuse(result, "a quota must be greater than 0");
        if (keys[i].max > 0 && value > keys[i].max)
            return refuse(result, "the quota is too large");
        if (keys[i].max > 0 && fabs(fmod(value, 1.0)) > 1e-6)
            return refuse(result, "the quota must be a whole number");
        return 1;
    }
    return refuse(result, "Invalid configuration key");
}

static int has_twin(const asked_t *asked, int32_t index)
{
    for (int32_t i = 0; i < index; i++)
        if (wire_string_equal(asked->ops[i].key, asked->ops[index].key))
            return 1;
    return 0;
}

static int check(const asked_t *asked, result_t *result)
{
    int parts;

    for (int32_t i = 1; i < asked->ops_count; i++)
        if (has_twin(asked, i))
            return refuse(result, "Duplicate quota key");
    if (!check_entity(asked, &parts, result))
        return 0;
    for (int32_t i = 0; i < asked->ops_count; i++)
        if (!asked->ops[i].remove &&
            !check_value(parts, &asked->ops[i], result))
            return 0;
    return 1;
}

/* ---- records -------------------------------------------------------------------- */

static const image_quota_t *present(const alter_t *alter, const asked_t *asked)
{
    image_quota_entity_t *entity = apr_palloc(
        alter->request->pool, (asked->entity_count + 1) * sizeof *entity);

    for (int32_t i = 0; i < asked->entity_count; i++) {
        entity[i].type =
            wire_string_dup(asked->entity[i].entity_type, alter->request->pool);
        entity[i].name =
            wire_string_dup(asked->entity[i].entity_name, alter->request->pool);
    }
    return image_quota(alter->image, entity, asked->entity_count);
}

/* Whether QUOTA is so already. */
static int is_so(const image_quota_t *quota, const operation_t *operation)
{
    for (int i = 0; quota && i < quota->value_count; i++)
        if (wire_string_equal_text(operation->key, quota->values[i].key))
            return !operation->remove &&
                   quota->values[i].value == operation->value;
    return operation->remove;
}

static void add_records(alter_t *alter, const asked_t *asked)
{
    const image_quota_t *quota = present(alter, asked);
    client_quota_record_entity_data_t *entity = apr_palloc(
        alter->request->pool, (asked->entity_count + 1) * sizeof *entity);

    for (int32_t i = 0; i < asked->entity_count; i++) {
        client_quota_record_entity_data_init(&entity[i]);
        entity[i].entity_type = asked->entity[i].entity_type;
        entity[i].entity_name = asked->entity[i].entity_name;
    }
    for (int32_t i = 0; i < asked->ops_count; i++) {
        client_quota_record_t *record;

        if (is_so(quota, &asked->ops[i]))
            continue;
        record = apr_palloc(alter->request->pool, sizeof *record);
        client_quota_record_init(record);
        record->entity = entity;
        record->entity_count = asked->entity_count;
        record->key = asked->ops[i].key;
        record->remove = asked->ops[i].remove;
        record->value = record->remove ? 0 : asked->ops[i].value;
        alter->records[alter->count].key = RECORD_CLIENT_QUOTA;
        alter->records[alter->count++].body = record;
    }
}

static void put_entity(request_t *request, const asked_t *asked, result_t *to)
{
    alter_client_quotas_response_entry_data_init(to);
    to->error_message = WIRE_STRING_NULL;
    to->entity_count = asked->entity_count;
    to->entity = apr_palloc(request->pool,
                            (asked->entity_count + 1) * sizeof *to->entity);
    for (int32_t i = 0; i < asked->entity_count; i++) {
        alter_client_quotas_response_entity_data_init(&to->entity[i]);
        to->entity[i].entity_type = asked->entity[i].entity_type;
        to->entity[i].entity_name = asked->entity[i].entity_name;
    }
}

static void append(alter_t *alter, alter_client_quotas_response_t *response)
{
    int16_t error;

    if (alter->count == 0)
        return;
    error = api_error(metadata_append(alter->request->broker->metadata,
                                      alter->records, alter->count,
                                      alter->request->pool));
    for (int32_t i = 0; error && i < response->entries_count; i++)
        if (!response->entries[i].error_code) {
            response->entries[i].error_code = error;
            response->entries[i].error_message =
                wire_string_from(kafka_error_text(error));
        }
}

void handle_alter_client_quotas(request_t *request)
{
    const alter_client_quotas_request_t *body = request->body;
    broker_t *broker = request->broker;
    alter_client_quotas_response_t response;
    alter_t alter = {.request = request};
    apr_size_t room = 1;

    for (int32_t i = 0; i < body->entries_count; i++)
        room += body->entries[i].ops_count;
    alter.records = apr_pcalloc(request->pool, room * sizeof *alter.records);
    alter_client_quotas_response_init(&response);
    response.entries_count = body->entries_count;
    response.entries = apr_palloc(request->pool, (body->entries_count + 1) *
                                                     sizeof *response.entries);
    apr_thread_mutex_lock(broker->change_mutex);
    alter.image = metadata_image(broker->metadata);
    for (int32_t i = 0; i < body->entries_count; i++) {
        put_entity(request, &body->entries[i], &response.entries[i]);
        if (check(&body->entries[i], &response.entries[i]))
            add_records(&alter, &body->entries[i]);
    }
    if (!body->validate_only)
        append(&alter, &response);
    image_release(alter.image);
    apr_thread_mutex_unlock(broker->change_mutex);
    request_reply(request, &response);
}
