/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IncrementalAlterConfigs (KIP-339): sets, deletes, appends to and subtracts
 * from single values of topics, brokers, loggers, groups and client metrics.
 */
#include "api/config_alter.h"
#include "api/handlers.h"
#include "protocol/incremental_alter_configs_request.h"
#include "protocol/incremental_alter_configs_response.h"

typedef incremental_alter_configs_request_alter_configs_resource_t asked_t;

static void read_asked(request_t *request, const asked_t *asked,
                       config_alter_t *alter)
{
    config_operation_t *operations = apr_palloc(
        request->pool, (asked->configs_count + 1) * sizeof *operations);

    for (int32_t i = 0; i < asked->configs_count; i++) {
        operations[i].operation = asked->configs[i].config_operation;
        operations[i].name = asked->configs[i].name;
        operations[i].value = asked->configs[i].value;
    }
    alter->type = asked->resource_type;
    alter->name = asked->resource_name;
    alter->operations = operations;
    alter->count = asked->configs_count;
    alter->replaces = 0;
}

void handle_incremental_alter_configs(request_t *request)
{
    const incremental_alter_configs_request_t *body = request->body;
    incremental_alter_configs_response_t response;
    int32_t count = body->resources_count;
    config_alter_t *alters =
        apr_pcalloc(request->pool, (count + 1) * sizeof *alters);

    for (int32_t i = 0; i < count; i++)
        read_asked(request, &body->resources[i], &alters[i]);
    config_alter(request, alters, count, body->validate_only);
    incremental_alter_configs_response_init(&response);
    response.responses_count = count;
    response.responses =
        apr_palloc(request->pool, (count + 1) * sizeof *response.responses);
    for (int32_t i = 0; i < count; i++) {
        incremental_alter_configs_response_alter_configs_resource_response_t
            *to = &response.responses[i];

        incremental_alter_configs_response_alter_configs_resource_response_init(
            to);
        to->resource_type = alters[i].type;
        to->resource_name = alters[i].name;
        to->error_code = alters[i].error;
        to->error_message = wire_string_from(alters[i].message);
    }
    request_reply(request, &response);
}
