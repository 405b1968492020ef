/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ApiVersions: what this broker serves, read off the one table, and the
 * features finalized in the metadata log (KIP-584). A version this broker does
 * not know is answered by net with a v0 body, because the client can read
 * nothing newer before it has this answer.
 */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "api/context.h"
#include "api/handlers.h"
#include "api/table.h"
#include "metadata/features.h"
#include "protocol/api_versions_request.h"
#include "protocol/api_versions_response.h"
#include "protocol/error_code.h"

/* A client that names itself must do so in a form that can be logged
 * (KIP-511): letters, digits, '-' and '.', from a letter or digit to one. */
static int software_name_is_valid(const wire_string_t *name)
{
    if (name->length <= 0)
        return 0;
    for (int32_t i = 0; i < name->length; i++) {
        char c = name->data[i];
        int edge = i == 0 || i == name->length - 1;

        if (apr_isalnum(c) || (!edge && (c == '-' || c == '.')))
            continue;
        return 0;
    }
    return 1;
}

static void put_keys(api_versions_response_t *response, apr_pool_t *pool)
{
    int count;
    const api_row_t *rows = api_rows(&count);

    response->api_keys = apr_pcalloc(pool, count * sizeof *response->api_keys);
    response->api_keys_count = count;
    for (int i = 0; i < count; i++) {
        api_versions_response_api_version_init(&response->api_keys[i]);
        response->api_keys[i].api_key = rows[i].key;
        response->api_keys[i].min_version = rows[i].advertised_min;
        response->api_keys[i].max_version = rows[i].max_version;
    }
}

static void put_supported(api_versions_response_t *response, int16_t version,
                          apr_pool_t *pool)
{
    int count, n = 0;
    const metadata_feature_t *features = metadata_features(&count);

    response->supported_features =
        apr_pcalloc(pool, count * sizeof *response->supported_features);
    for (int i = 0; i < count; i++) {
        api_versions_response_supported_feature_key_t *key;

        /* Clients below version 4 refuse a range that begins at 0. */
        if (features[i].min == 0 && version < 4)
            continue;
        key = &response->supported_features[n++];
        key->name = wire_string_from(features[i].name);
        key->min_version = features[i].min;
        key->max_version = features[i].max;
    }
    response->supported_features_count = n;
}

typedef struct {
    api_versions_response_t *response;
    apr_pool_t *pool;
} finalized_baton_t;

static apr_status_t put_finalized(void *baton, const char *name, int16_t level)
{
    finalized_baton_t *b = baton;
    api_versions_response_t *response = b->response;
    api_versions_response_finalized_feature_key_t *key =
        &response->finalized_features[response->finalized_features_count];

    if (level <= 0)
        return APR_SUCCESS;
    key->name = wire_string_from(apr_pstrdup(b->pool, name));
    key->min_version_level = level;
    key->max_version_level = level;
    response->finalized_features_count++;
    return APR_SUCCESS;
}

static apr_status_t count_feature(void *baton, const char *name, int16_t level)
{
    (void)name;
    (void)level;
    ++*(int *)baton;
    return APR_SUCCESS;
}

static void put_features(request_t *request, api_versions_response_t *response)
{
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    finalized_baton_t baton = { response, request->pool };
    int count = 0;

    put_supported(response, request->version, request->pool);
    image_each_feature(image, count_feature, &count);
    response->finalized_features =
        apr_pcalloc(request->pool,
                    (count + 1) * sizeof *response->finalized_features);
    response->finalized_features_count = 0;
    image_each_feature(image, put_finalized, &baton);
    response->finalized_features_epoch = image_offset(image);
    image_release(image);
}

void handle_api_versions(request_t *request)
{
    const api_versions_request_t *body = request->body;
    api_versions_response_t response;

    api_versions_response_init(&response);
    if (request->version >= 3 &&
        !(software_name_is_valid(&body->client_software_name) &&
          software_name_is_valid(&body->client_software_version))) {
        response.error_code = KAFKA_INVALID_REQUEST;
        request_reply(request, &response);
        return;
    }
    put_keys(&response, request->pool);
    if (request->version >= 3)
        put_features(request, &response);
    request_reply(request, &response);
}
