/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request between net and api: net reads and decodes it, a handler of api
 * answers it, at once or later. It owns its memory (one pool, cleared and used
 * again) and belongs to one thread at a time.
 */
#ifndef TAKHIN_API_REQUEST_H
#define TAKHIN_API_REQUEST_H

#include <apr_pools.h>
#include <apr_time.h>

#include "net/exchange.h"
#include "protocol/api.h"
#include "protocol/wire.h"

typedef struct broker_t broker_t;   /* broker/broker.h: what handlers use */
typedef struct api_row_t api_row_t; /* api/table.h */
typedef struct request_t request_t;

struct request_t {
    broker_t *broker;
    connection_t *connection; /* net/connection.h */
    net_exchange_t *exchange; /* the frame and its answer, as net has them */
    const api_row_t *api;
    apr_pool_t *pool; /* this request's; gone after the answer */
    int16_t key;
    int16_t version;
    int32_t correlation_id;
    wire_string_t client_id;
    const char *peer_host; /* the client's address, for logs and records */
    const char *listener;  /* the listener's name: "PLAINTEXT" */
    void *body;            /* decoded: fetch_request_t and so on */
    const uint8_t *frame;  /* the body points into it: mutable, ours */
    apr_size_t frame_length;
    apr_time_t received; /* clock_monotonic() when the frame was whole */
    void *state;         /* a delayed operation's own */
    int32_t throttle_ms; /* for what it produced or fetched (KIP-219) */
    void **ranges;       /* request.c's: the answer's read_range_t */
    int range_count;
};

/*
 * Answers: encodes BODY (the response struct that belongs to request->key) at
 * request->version behind its header and hands it to the connection.
 * Records fields may carry file ranges (read_range_t as wire_records_t.ranges,
 * in the request's pool); they are released after they were sent, or could not
 * be.
 * BODY's throttle time is set, if a quota is exceeded.
 * Call exactly once a request, from any thread; the request is gone afterwards.
 */
void request_reply(request_t *request, const void *body);

/* The quota of TYPE for VALUE that the request has used: see quotas_record. */
int32_t request_quota(request_t *request, int type, double value,
                      int take_back);

/* Who asks, as quotas and rules know it. */
const char *request_user(const request_t *request);

/* Ends a request that has no answer (Produce with acks=0). */
void request_done(request_t *request);

/* Ends a request whose client must be disconnected (Produce with acks=0 that
 * failed, a protocol violation): WHY is logged; it is a constant or lies in the
 * request's pool. */
void request_disconnect(request_t *request, const char *why);

/*
 * What net_options_t is given: with a broker_t as the server's baton and
 * sizeof(request_t) as room, each frame becomes a request, decoded and in the
 * hands of its row's handler. What cannot be is logged and disconnected; an
 * ApiVersions of a version that is not served is answered (KIP-511).
 */
void request_dispatch(net_exchange_t *exchange);

/* Produce may be pipelined, so that many share one flush; anything else waits
 * until what came before it is answered, as in Kafka. So does a transactional
 * Produce: its batches keep their order while the coordinator is asked. */
int request_overlaps(const uint8_t *frame, apr_size_t length);

#endif
