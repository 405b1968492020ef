/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AlterUserScramCredentials (KIP-554): stores what SCRAM (RFC 5802) needs to
 * check a password, never the password or its salted form. A user is changed at
 * most once a request.
 */
#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "base/sha2.h"
#include "metadata/frame.h"
#include "protocol/alter_user_scram_credentials_request.h"
#include "protocol/alter_user_scram_credentials_response.h"
#include "protocol/error_code.h"
#include "protocol/remove_user_scram_credential_record.h"
#include "protocol/user_scram_credential_record.h"

typedef alter_user_scram_credentials_request_t body_t;
typedef alter_user_scram_credentials_request_scram_credential_deletion_t
    deletion_t;
typedef alter_user_scram_credentials_request_scram_credential_upsertion_t
    upsertion_t;
typedef alter_user_scram_credentials_response_alter_user_scram_credentials_result_t
    result_t;

enum { ITERATIONS_MIN = 4096, ITERATIONS_MAX = 16384 };

/* What is asked for one user; the last change counts, if there is just one. */
typedef struct {
    wire_string_t user;
    int16_t error;
    const deletion_t *deletion;
    const upsertion_t *upsertion;
} change_t;

typedef struct {
    request_t *request;
    const metadata_image_t *image;
    apr_hash_t *by_user;
    change_t *changes;
    int32_t count;
    metadata_record_t *records;
    int record_count;
} alter_t;

static int16_t name_error(wire_string_t user, int8_t mechanism)
{
    if (user.length <= 0)
        return KAFKA_UNACCEPTABLE_CREDENTIAL;
    if (mechanism != SCRAM_SHA_256 && mechanism != SCRAM_SHA_512)
        return KAFKA_UNSUPPORTED_SASL_MECHANISM;
    return KAFKA_NONE;
}

static int16_t deletion_error(const alter_t *alter, const deletion_t *deletion)
{
    int16_t error = name_error(deletion->name, deletion->mechanism);

    if (error)
        return error;
    return image_scram(alter->image,
                       wire_string_dup(deletion->name, alter->request->pool),
                       deletion->mechanism)
               ? KAFKA_NONE
               : KAFKA_RESOURCE_NOT_FOUND;
}

static int16_t upsertion_error(const upsertion_t *upsertion)
{
    int16_t error = name_error(upsertion->name, upsertion->mechanism);

    if (error)
        return error;
    return upsertion->iterations < ITERATIONS_MIN ||
                   upsertion->iterations > ITERATIONS_MAX
               ? KAFKA_UNACCEPTABLE_CREDENTIAL
               : KAFKA_NONE;
}

/* The change of USER; one that is there already has two and is refused. NULL
 * when nothing is left to be decided. */
static change_t *change_of(alter_t *alter, wire_string_t user)
{
    change_t *change = apr_hash_get(alter->by_user, user.data, user.length);

    if (change) {
        if (!change->error)
            change->error = KAFKA_DUPLICATE_RESOURCE;
        return NULL;
    }
    change = &alter->changes[alter->count++];
    change->user = user;
    apr_hash_set(alter->by_user, user.data, user.length, change);
    return change;
}

static void collect(alter_t *alter, const body_t *body)
{
    for (int32_t i = 0; i < body->deletions_count; i++) {
        change_t *change = change_of(alter, body->deletions[i].name);

        if (!change)
            continue;
        change->deletion = &body->deletions[i];
        change->error = deletion_error(alter, change->deletion);
    }
    for (int32_t i = 0; i < body->upsertions_count; i++) {
        change_t *change = change_of(alter, body->upsertions[i].name);

        if (!change)
            continue;
        change->upsertion = &body->upsertions[i];
        change->error = upsertion_error(change->upsertion);
    }
}

/* ---- records --------------------------------------------------------------- */

static wire_bytes_t keep(const uint8_t *digest, sha2_t which, apr_pool_t *pool)
{
    wire_bytes_t bytes = {apr_pmemdup(pool, digest, which), which};

    return bytes;
}

/* StoredKey = H(HMAC(salted, "Client Key")), ServerKey = HMAC(salted,
 * "Server Key"): RFC 5802, 3. */
static void *upsertion_record(const alter_t *alter, const upsertion_t *from)
{
    apr_pool_t *pool = alter->request->pool;
    sha2_t which = from->mechanism == SCRAM_SHA_256 ? SHA2_256 : SHA2_512;
    user_scram_credential_record_t *to = apr_palloc(pool, sizeof *to);
    uint8_t key[SHA2_MAX], stored[SHA2_MAX];

    user_scram_credential_record_init(to);
    to->name = from->name;
    to->mechanism = from->mechanism;
    to->salt = from->salt;
    to->iterations = from->iterations;
    sha2_hmac(which, from->salted_password.data, from->salted_password.length,
              "Client Key", 10, key);
    sha2_digest(which, key, which, stored);
    to->stored_key = keep(stored, which, pool);
    sha2_hmac(which, from->salted_password.data, from->salted_password.length,
              "Server Key", 10, key);
    to->server_key = keep(key, which, pool);
    return to;
}

static void *deletion_record(const alter_t *alter, const deletion_t *from)
{
    remove_user_scram_credential_record_t *to =
        apr_palloc(alter->request->pool, sizeof *to);

    remove_user_scram_credential_record_init(to);
    to->name = from->name;
    to->mechanism = from->mechanism;
    return to;
}

static int16_t append(alter_t *alter)
{
    for (int32_t i = 0; i < alter->count; i++) {
        const change_t *change = &alter->changes[i];
        metadata_record_t *record = &alter->records[alter->record_count];

        if (change->error)
            continue;
        record->key =
            change->upsertion ? RECORD_USER_SCRAM : RECORD_REMOVE_USER_SCRAM;
        record->body = change->upsertion
                           ? upsertion_record(alter, change->upsertion)
                           : deletion_record(alter, change->deletion);
        alter->record_count++;
    }
    if (alter->record_count == 0)
        return KAFKA_NONE;
    return api_error(metadata_append(alter->request->broker->metadata,
                                     alter->records, alter->record_count,
                                     alter->request->pool));
}

static void put_result(const change_t *change, int16_t append_error,
                       result_t *result)
{
    alter_user_scram_credentials_response_alter_user_scram_credentials_result_init(
        result);
    result->user = change->user;
    result->error_code = change->error ? change->error : append_error;
    result->error_message =
        result->error_code
            ? wire_string_from(kafka_error_text(result->error_code))
            : WIRE_STRING_NULL;
}

void handle_alter_user_scram_credentials(request_t *request)
{
    const body_t *body = request->body;
    apr_size_t room = (apr_size_t)body->deletions_count +
                      (apr_size_t)body->upsertions_count + 1;
    alter_t alter = {.request = request,
                     .image = metadata_image(request->broker->metadata),
                     .by_user = apr_hash_make(request->pool)};
    alter_user_scram_credentials_response_t response;
    int16_t error;

    alter.changes = apr_pcalloc(request->pool, room * sizeof *alter.changes);
    alter.records = apr_pcalloc(request->pool, room * sizeof *alter.records);
    collect(&alter, body);
    error = append(&alter);
    alter_user_scram_credentials_response_init(&response);
    response.results_count = alter.count;
    response.results =
        apr_palloc(request->pool, room * sizeof *response.results);
    for (int32_t i = 0; i < alter.count; i++)
        put_result(&alter.changes[i], error, &response.results[i]);
    request_reply(request, &response);
    image_release(alter.image);
}
