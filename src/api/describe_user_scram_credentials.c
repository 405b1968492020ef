/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeUserScramCredentials (KIP-554): which mechanisms users have, with how
 * many iterations. Never a salt or a key.
 */
#include <apr_hash.h>
#include <apr_strings.h>

#include "api/context.h"
#include "api/handlers.h"
#include "protocol/describe_user_scram_credentials_request.h"
#include "protocol/describe_user_scram_credentials_response.h"
#include "protocol/error_code.h"

typedef describe_user_scram_credentials_response_t response_t;
typedef describe_user_scram_credentials_response_describe_user_scram_credentials_result_t
    result_t;
typedef describe_user_scram_credentials_response_credential_info_t info_t;

typedef struct {
    request_t *request;
    const metadata_image_t *image;
    apr_hash_t *users; /* name: int *, how often it was asked for */
} describe_t;

static void add_user(describe_t *describe, const char *name)
{
    int *count = apr_hash_get(describe->users, name, APR_HASH_KEY_STRING);

    if (!count) {
        count = apr_pcalloc(describe->request->pool, sizeof *count);
        apr_hash_set(describe->users, name, APR_HASH_KEY_STRING, count);
    }
    ++*count;
}

static apr_status_t add_credential(void *baton, const image_scram_t *credential)
{
    describe_t *describe = baton;

    if (!apr_hash_get(describe->users, credential->user, APR_HASH_KEY_STRING))
        add_user(describe, credential->user);
    return APR_SUCCESS;
}

static void put_credentials(const describe_t *describe, const char *user,
                            result_t *result)
{
    result->credential_infos = apr_palloc(describe->request->pool,
                                          2 * sizeof *result->credential_infos);
    for (int8_t mechanism = SCRAM_SHA_256; mechanism <= SCRAM_SHA_512;
         mechanism++) {
        const image_scram_t *found =
            image_scram(describe->image, user, mechanism);
        info_t *to = &result->credential_infos[result->credential_infos_count];

        if (!found)
            continue;
        describe_user_scram_credentials_response_credential_info_init(to);
        to->mechanism = mechanism;
        to->iterations = found->iterations;
        result->credential_infos_count++;
    }
}

static void put_user(const describe_t *describe, const char *user, int count,
                     result_t *result)
{
    describe_user_scram_credentials_response_describe_user_scram_credentials_result_init(
        result);
    result->user = wire_string_from(user);
    result->error_message = WIRE_STRING_NULL;
    result->credential_infos_count = 0;
    if (count > 1)
        result->error_code = KAFKA_DUPLICATE_RESOURCE;
    else
        put_credentials(describe, user, result);
    if (!result->error_code && result->credential_infos_count == 0)
        result->error_code = KAFKA_RESOURCE_NOT_FOUND;
    if (result->error_code)
        result->error_message = wire_string_from(apr_psprintf(
            describe->request->pool,
            count > 1 ? "Cannot describe SCRAM credentials for the same user "
                        "twice in a single request: %s"
                      : "Attempt to describe a user credential that does not "
                        "exist: %s",
            user));
}

void handle_describe_user_scram_credentials(request_t *request)
{
    const describe_user_scram_credentials_request_t *body = request->body;
    describe_t describe = {request, metadata_image(request->broker->metadata),
                           apr_hash_make(request->pool)};
    response_t response;

    describe_user_scram_credentials_response_init(&response);
    response.error_message = WIRE_STRING_NULL;
    for (int32_t i = 0; i < body->users_count; i++)
        add_user(&describe,
                 wire_string_dup(body->users[i].name, request->pool));
    if (body->users_count <= 0)
        image_each_scram(describe.image, add_credential, &describe);
    response.results_count = 0;
    response.results =
        apr_palloc(request->pool, (apr_hash_count(describe.users) + 1) *
                                      sizeof *response.results);
    for (apr_hash_index_t *at = apr_hash_first(request->pool, describe.users);
         at; at = apr_hash_next(at))
        put_user(&describe, apr_hash_this_key(at),
                 *(int *)apr_hash_this_val(at),
                 &response.results[response.results_count++]);
    request_reply(request, &response);
    image_release(describe.image);
}
