/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeClientQuotas (KIP-546): the quotas whose entity fits a filter. */
#include <string.h>

#include "api/context.h"
#include "api/handlers.h"
#include "protocol/describe_client_quotas_request.h"
#include "protocol/describe_client_quotas_response.h"
#include "protocol/error_code.h"

typedef describe_client_quotas_request_t body_t;
typedef describe_client_quotas_request_component_data_t component_t;
typedef describe_client_quotas_response_entry_data_t entry_t;

enum { MATCH_EXACT = 0, MATCH_DEFAULT = 1, MATCH_ANY = 2 };

typedef struct {
    request_t *request;
    const body_t *body;
    apr_array_header_t *entries; /* entry_t */
} describe_t;

static int is_type(wire_string_t type)
{
    return wire_string_equal_text(type, "user") ||
           wire_string_equal_text(type, "client-id") ||
           wire_string_equal_text(type, "ip");
}

/* Component INDEX of the filter. */
static int16_t component_error(const body_t *body, int32_t index,
                               const char **why)
{
    const component_t *component = &body->components[index];

    *why = "a component of the filter has no type";
    if (component->entity_type.length == 0)
        return KAFKA_INVALID_REQUEST;
    *why = "a type comes more than once in the filter";
    for (int32_t i = 0; i < index; i++)
        if (wire_string_equal(body->components[i].entity_type,
                              component->entity_type))
            return KAFKA_INVALID_REQUEST;
    *why = "a type of the filter is not known";
    if (!is_type(component->entity_type))
        return KAFKA_UNSUPPORTED_VERSION;
    *why = "a component's name does not fit the way it is matched";
    if (component->match_type < MATCH_EXACT ||
        component->match_type > MATCH_ANY ||
        (component->match_type == MATCH_EXACT) !=
            (component->match.length >= 0))
        return KAFKA_INVALID_REQUEST;
    return KAFKA_NONE;
}

static int16_t filter_error(const body_t *body, const char **why)
{
    int has_ip = 0;

    for (int32_t i = 0; i < body->components_count; i++) {
        int16_t error = component_error(body, i, why);

        if (error)
            return error;
        has_ip |= wire_string_equal_text(body->components[i].entity_type, "ip");
    }
    *why = "an address cannot be combined with a user or client id";
    return has_ip && body->components_count > 1 ? KAFKA_INVALID_REQUEST
                                                : KAFKA_NONE;
}

static int fits(const image_quota_t *quota, const component_t *component)
{
    for (int i = 0; i < quota->entity_count; i++) {
        const image_quota_entity_t *entity = &quota->entity[i];

        if (!wire_string_equal_text(component->entity_type, entity->type))
            continue;
        if (component->match_type == MATCH_ANY)
            return 1;
        if (component->match_type == MATCH_DEFAULT)
            return entity->name == NULL;
        return entity->name &&
               wire_string_equal_text(component->match, entity->name);
    }
    return 0;
}

static void put_quota(const describe_t *describe, const image_quota_t *quota)
{
    apr_pool_t *pool = describe->request->pool;
    entry_t *to = apr_array_push(describe->entries);

    describe_client_quotas_response_entry_data_init(to);
    to->entity_count = quota->entity_count;
    to->entity =
        apr_palloc(pool, (quota->entity_count + 1) * sizeof *to->entity);
    for (int i = 0; i < quota->entity_count; i++) {
        describe_client_quotas_response_entity_data_init(&to->entity[i]);
        to->entity[i].entity_type = wire_string_from(quota->entity[i].type);
        to->entity[i].entity_name = wire_string_from(quota->entity[i].name);
    }
    to->values_count = quota->value_count;
    to->values =
        apr_palloc(pool, (quota->value_count + 1) * sizeof *to->values);
    for (int i = 0; i < quota->value_count; i++) {
        describe_client_quotas_response_value_data_init(&to->values[i]);
        to->values[i].key = wire_string_from(quota->values[i].key);
        to->values[i].value = quota->values[i].value;
    }
}

static apr_status_t put_if_it_fits(void *baton, const image_quota_t *quota)
{
    const describe_t *describe = baton;
    const body_t *body = describe->body;

    if (quota->value_count == 0 ||
        (body->strict && quota->entity_count != body->components_count))
        return APR_SUCCESS;
    for (int32_t i = 0; i < body->components_count; i++)
        if (!fits(quota, &body->components[i]))
            return APR_SUCCESS;
    put_quota(describe, quota);
    return APR_SUCCESS;
}

void handle_describe_client_quotas(request_t *request)
{
    describe_t describe = {request, request->body,
                           apr_array_make(request->pool, 8, sizeof(entry_t))};
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    describe_client_quotas_response_t response;
    const char *why;

    describe_client_quotas_response_init(&response);
    response.error_code = filter_error(describe.body, &why);
    response.error_message =
        response.error_code ? wire_string_from(why) : WIRE_STRING_NULL;
    if (!response.error_code)
        image_each_quota(image, put_if_it_fits, &describe);
    response.entries = (entry_t *)describe.entries->elts;
    response.entries_count = response.error_code ? -1 : describe.entries->nelts;
    request_reply(request, &response);
    image_release(image);
}
