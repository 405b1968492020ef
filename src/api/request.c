/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between frames and messages: a frame becomes a request with a decoded body,
 * a response body becomes the parts of an answer. Record bytes are never
 * copied here: a response's parts are what was encoded, cut where records
 * belong, and the file pieces of those.
 */
#include "api/request.h"

#include <apr_strings.h>
#include <string.h>

#include "api/context.h"
#include "api/table.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/logger.h"
#include "net/connection.h"
#include "protocol/api_versions_response.h"
#include "storage/read_range.h"

#define KEY_PRODUCE         0
#define KEY_API_VERSIONS    18
#define UNSUPPORTED_VERSION 35 /* the error code */
#define SIZE_PREFIX         4
#define EXPECTED_RESPONSE   512 /* bytes; a larger one grows */

/* Answers ------------------------------------------------------------------ */

/* Gives back the file ranges of the answer. */
static void release_ranges(net_exchange_t *exchange)
{
    request_t *request = exchange->room;
    int i;

    for (i = 0; i < request->range_count; i++)
        read_range_release(request->ranges[i]);
    request->range_count = 0;
}

/* Notes the ranges of what OUT holds, to be released whatever happens. */
static void keep_ranges(request_t *request, const wire_writer_t *out)
{
    int i;

    request->range_count = 0;
    if (!out->splice_count)
        return;
    request->ranges =
        apr_palloc(request->pool, sizeof(*request->ranges) * out->splice_count);
    for (i = 0; i < out->splice_count; i++)
        request->ranges[request->range_count++] =
            out->splices[i].records->ranges;
}

static void add_memory(net_part_t *parts, int *count, const uint8_t *data,
                       apr_size_t size)
{
    if (size)
        parts[(*count)++] = (net_part_t){.data = data, .size = size};
}

static void add_range(net_part_t *parts, int *count, const read_range_t *range)
{
    int i;

    for (i = 0; i < range->count; i++)
        parts[(*count)++] = (net_part_t){.file = range->pieces[i].file,
                                         .offset = range->pieces[i].position,
                                         .size = range->pieces[i].size,
                                         .run = range->size};
}

static void send_response(request_t *request, const wire_writer_t *out)
{
    net_part_t *parts = apr_palloc(
        request->pool,
        sizeof(*parts) * (1 + (1 + READ_RANGE_MAX_PIECES) * out->splice_count));
    apr_size_t at = 0;
    int count = 0, i;

    for (i = 0; i < out->splice_count; i++) {
        const wire_splice_t *splice = &out->splices[i];
        add_memory(parts, &count, out->buf + at, splice->at - at);
        add_range(parts, &count, splice->records->ranges);
        at = splice->at;
    }
    add_memory(parts, &count, out->buf + at, out->length - at);
    net_exchange_reply(request->exchange, parts, count,
                       request->range_count ? release_ranges : NULL);
}

/* Encodes BODY at VERSION, behind its size and header. */
static apr_status_t encode_response(request_t *request, wire_writer_t *out,
                                    const void *body, int16_t version)
{
    const protocol_api_t *api = protocol_api(request->key);
    response_header_t header;

    response_header_init(&header);
    header.correlation_id = request->correlation_id;
    wire_writer_init(out, request->pool, EXPECTED_RESPONSE);
    wire_put_int32(out, 0); /* the size, when it is known */
    response_header_encode(
        &header, out, protocol_response_header_version(request->key, version));
    wire_message_encode(api->response, body, out, version);
    keep_ranges(request, out);
    if (wire_writer_ok(out) &&
        wire_writer_total(out) - SIZE_PREFIX > APR_INT32_MAX)
        wire_writer_fail(out, TAKHIN_ETOOBIG, api->name, "above 2 GiB");
    if (!wire_writer_ok(out))
        return out->status;
    bytes_put_i32(out->buf, (int32_t)(wire_writer_total(out) - SIZE_PREFIX));
    return APR_SUCCESS;
}

static void reply_at(request_t *request, const void *body, int16_t version)
{
    wire_writer_t out;

    if (!encode_response(request, &out, body, version)) {
        send_response(request, &out);
        return;
    }
    /* Our own mistake, but the client waits: let it know. */
    LOG_EVERY(1, api, ERROR,
              "the response to %s version %d cannot be "
              "encoded: %s",
              protocol_api_name(request->key), version,
              wire_writer_error(&out, request->pool));
    release_ranges(request->exchange);
    request_disconnect(request, "its answer cannot be encoded");
}

/* Quotas ------------------------------------------------------------------- */

const char *request_user(const request_t *request)
{
    (void)request; /* nobody says who it is on a listener without SASL */
    return "ANONYMOUS";
}

int32_t request_quota(request_t *request, int type, double value, int take_back)
{
    quotas_t *quotas = request->broker->quotas;
    const char *client;

    if (!quotas || !quotas_enabled(quotas))
        return 0;
    client = wire_string_is_empty(request->client_id)
                 ? ""
                 : wire_string_dup(request->client_id, request->pool);
    return quotas_record(quotas, type, request_user(request), client, value,
                         take_back);
}

/* The request that this thread handles now. One that is answered later, or by
 * another thread, has waited, and waiting is no work. */
static _Thread_local const request_t *handled;

/* For how many milliseconds the client is held off, and its connection muted.
 */
static int32_t throttle(request_t *request)
{
    apr_interval_time_t busy =
        request == handled ? clock_monotonic() - request->received : 0;
    int32_t held = request_quota(request, QUOTA_REQUEST,
                                 100.0 * (double)busy / APR_USEC_PER_SEC, 0);

    if (request->throttle_ms > held)
        held = request->throttle_ms;
    if (held > 0)
        net_exchange_mute(request->exchange, apr_time_from_msec(held));
    return held;
}

void request_reply(request_t *request, const void *body)
{
    int offset = protocol_api(request->key)->response->throttle;
    int32_t held = throttle(request);

    if (held > 0 && offset >= 0)
        /* The handler made it for this answer; it is ours to complete. */
        *(int32_t *)((char *)body + offset) = held;
    reply_at(request, body, request->version);
}

void request_done(request_t *request)
{
    (void)throttle(request);
    net_exchange_done(request->exchange);
}

void request_disconnect(request_t *request, const char *why)
{
    net_exchange_disconnect(request->exchange, why);
}

/* Frames ------------------------------------------------------------------- */

/* What a client that speaks a newer ApiVersions than we do gets: the one row
 * it needs to ask again, in the form every version reads (KIP-511). */
static void reply_unsupported_version(request_t *request)
{
    api_versions_response_api_version_t own;
    api_versions_response_t response;

    api_versions_response_init(&response);
    api_versions_response_api_version_init(&own);
    own.api_key = KEY_API_VERSIONS;
    own.min_version = request->api->advertised_min;
    own.max_version = request->api->max_version;
    response.error_code = UNSUPPORTED_VERSION;
    response.api_keys = &own;
    response.api_keys_count = 1;
    reply_at(request, &response, 0);
}

/* Decodes header and body, or says why they cannot be. */
static const char *decode(request_t *request)
{
    const protocol_api_t *api = protocol_api(request->key);
    request_header_t header;
    wire_reader_t in;

    wire_reader_init(&in, request->frame, request->frame_length, request->pool);
    if (!protocol_request_header_decode(&header, &in)) {
        request->client_id = header.client_id;
        request->body = apr_palloc(request->pool, api->request->size);
        wire_message_decode(api->request, request->body, &in, request->version);
    }
    if (wire_reader_ok(&in))
        return NULL;
    return apr_psprintf(request->pool, "%s version %d cannot be decoded: %s",
                        api->name, request->version,
                        wire_reader_error(&in, request->pool));
}

/* The request in EXCHANGE's room, with what can be known without decoding. */
static request_t *begin(net_exchange_t *exchange)
{
    request_t *request = exchange->room;

    memset(request, 0, sizeof(*request));
    request->broker = net_server_baton(connection_server(exchange->connection));
    request->connection = exchange->connection;
    request->exchange = exchange;
    request->pool = exchange->pool;
    request->frame = exchange->frame;
    request->frame_length = exchange->frame_length;
    request->received = exchange->received;
    request->peer_host = connection_peer_host(exchange->connection);
    request->listener = connection_listener(exchange->connection);
    request->key = bytes_get_i16(request->frame);
    request->version = bytes_get_i16(request->frame + 2);
    request->correlation_id = bytes_get_i32(request->frame + 4);
    request->client_id = WIRE_STRING_NULL;
    request->api = api_row(request->key);
    return request;
}

void request_dispatch(net_exchange_t *exchange)
{
    request_t *request = begin(exchange);
    const api_row_t *row = request->api;
    const char *why;

    if (!row)
        request_disconnect(request, apr_psprintf(request->pool,
                                                 "api key %d is not served",
                                                 request->key));
    else if (request->version < row->min_version ||
             request->version > row->max_version) {
        if (request->key == KEY_API_VERSIONS)
            reply_unsupported_version(request);
        else
            request_disconnect(request,
                               apr_psprintf(request->pool,
                                            "%s version %d is not served",
                                            row->name, request->version));
    } else if ((why = decode(request)))
        request_disconnect(request, why);
    else {
        const request_t *outer = handled; /* a worker may nest */

        handled = request;
        row->handle(request);
        handled = outer;
    }
}

/* Whether the Produce in FRAME has a transactional id, or it is not plain to
 * see that it has none: the first field behind the header. */
static int may_be_transactional(const uint8_t *frame, apr_size_t length)
{
    enum { FLEXIBLE_SINCE = 9, CLIENT_ID = 8 };
    int flexible = bytes_get_i16(frame + 2) >= FLEXIBLE_SINCE;
    apr_size_t at = CLIENT_ID + 2;

    if (length < at)
        return 1;
    if (bytes_get_i16(frame + CLIENT_ID) > 0)
        at += (apr_size_t)bytes_get_i16(frame + CLIENT_ID);
    if (length < at + 2)
        return 1;
    /* no tagged fields, null */
    return flexible ? frame[at] != 0 || frame[at + 1] != 0
                    : bytes_get_i16(frame + at) >= 0;
}

int request_overlaps(const uint8_t *frame, apr_size_t length)
{
    return length >= 4 && bytes_get_i16(frame) == KEY_PRODUCE &&
           !may_be_transactional(frame, length);
}
