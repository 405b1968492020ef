/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetch: where the bytes lie, never the bytes. Every partition of the request
 * is asked for a read range; the answer carries the ranges, and the connection
 * sends them from the page cache to the socket. When there is less than the
 * client wants, the request waits, with its partitions watched, for an append
 * or its deadline, and is read again.
 */
#include <apr_strings.h>
#include <string.h>

#include "api/delayed.h"
#include "api/error.h"
#include "api/fetch_session.h"
#include "api/handlers.h"
#include "api/partition_lookup.h"
#include "base/clock.h"
#include "protocol/error_code.h"
#include "protocol/fetch_request.h"
#include "protocol/fetch_response.h"

typedef fetch_response_fetchable_topic_response_t answer_topic_t;
typedef fetch_response_partition_data_t answer_partition_t;

enum { CONSUMER = -1, READ_COMMITTED = 1 };

/* What reading one partition gave. */
typedef struct {
    partition_t *partition;      /* retained until the answer, or NULL */
    int16_t error;
    int64_t high_watermark;      /* -1 with an error */
    int64_t last_stable_offset;
    int64_t log_start_offset;
    int32_t diverging_epoch;     /* -1: none (KIP-595) */
    int64_t diverging_end;
    log_aborted_t *aborted;      /* with read_committed */
    int aborted_count;           /* -1: not asked for */
    read_range_t range;
} reading_t;

typedef struct {
    request_t *request;
    const fetch_request_t *body;
    fetch_context_t context;
    reading_t *readings;         /* one an item of the context */
    int32_t replica;             /* who asks: a follower's id, or CONSUMER */
    apr_size_t max_bytes;
    apr_size_t min_bytes;
    apr_size_t bytes;            /* found by the last reading */
    int urgent;                  /* something must be told at once */
} fetch_t;

/* Up to where the asker may read (KIP-98). */
static int64_t upper_bound(const fetch_t *fetch, const reading_t *reading)
{
    if (fetch->replica != CONSUMER)
        return log_end_offset(partition_log(reading->partition));
    return fetch->body->isolation_level == READ_COMMITTED
               ? reading->last_stable_offset
               : reading->high_watermark;
}

static void reading_fail(reading_t *reading, int16_t error)
{
    reading->error = error;
    reading->high_watermark = -1;
    reading->last_stable_offset = -1;
    reading->log_start_offset = -1;
}

/* A follower whose last epoch ended earlier here has to truncate first. */
static int check_divergence(const fetch_item_t *item, reading_t *reading)
{
    log_t *log = partition_log(reading->partition);
    int32_t epoch = item->last_fetched_epoch;
    int64_t end;

    if (epoch < 0)
        return 0;
    if (epoch == partition_leader_epoch(reading->partition))
        end = log_end_offset(log); /* it goes on, be there a record or not */
    else
        log_end_offset_for_epoch(log, epoch, &epoch, &end);
    if (epoch < 0 || end < 0) {
        reading_fail(reading, KAFKA_OFFSET_OUT_OF_RANGE);
        return 1;
    }
    if (epoch >= item->last_fetched_epoch && end >= item->fetch_offset)
        return 0;
    reading->diverging_epoch = epoch;
    reading->diverging_end = end;
    return 1;
}

/* Kafka's limit rule: the first batch of the whole answer comes even where it
 * is larger than every limit; any other partition's only if it fits. */
static apr_status_t read_records(fetch_t *fetch, const fetch_item_t *item,
                                 reading_t *reading, apr_size_t left)
{
    apr_size_t limit = item->max_bytes < 0 ? 0 : (apr_size_t)item->max_bytes;
    int first = fetch->bytes == 0;

    /* Also with nothing left: an offset out of range is to be told. */
    if (limit > left)
        limit = left;
    return log_read_range(partition_log(reading->partition),
                          item->fetch_offset, upper_bound(fetch, reading),
                          limit, first, &reading->range);
}

static apr_status_t read_aborted(fetch_t *fetch, const fetch_item_t *item,
                                 reading_t *reading)
{
    if (fetch->replica != CONSUMER ||
        fetch->body->isolation_level != READ_COMMITTED)
        return APR_SUCCESS;
    reading->aborted_count = 0;
    if (reading->range.size == 0)
        return APR_SUCCESS;
    return log_aborted_transactions(partition_log(reading->partition),
                                    item->fetch_offset,
                                    reading->last_stable_offset,
                                    &reading->aborted, &reading->aborted_count,
                                    fetch->request->pool);
}

static void read_partition(fetch_t *fetch, const fetch_item_t *item,
                           reading_t *reading, apr_size_t left)
{
    log_t *log = partition_log(reading->partition);
    apr_status_t status;

    if (fetch->replica != CONSUMER &&
        !partition_has_follower(reading->partition, fetch->replica)) {
        reading_fail(reading, KAFKA_NOT_LEADER_OR_FOLLOWER);
        fetch->urgent = 1;
        return;
    }
    reading->high_watermark = partition_high_watermark(reading->partition);
    reading->last_stable_offset =
        partition_last_stable_offset(reading->partition);
    reading->log_start_offset = log_start_offset(log);
    if (fetch->replica != CONSUMER)
        partition_follower_fetched(reading->partition, fetch->replica,
                                   item->fetch_offset, clock_wall_ms());
    if (check_divergence(item, reading)) {
        fetch->urgent = 1;
        return;
    }
    status = read_records(fetch, item, reading, left);
    if (!status)
        status = read_aborted(fetch, item, reading);
    if (status) {
        read_range_release(&reading->range);
        reading_fail(reading, api_error(status));
        fetch->urgent = 1;
    }
}

/* Reads every partition, in order, within the limits of the request. */
static void read_all(fetch_t *fetch)
{
    apr_size_t left = fetch->max_bytes;

    fetch->bytes = 0;
    for (int i = 0; i < fetch->context.count; i++) {
        reading_t *reading = &fetch->readings[i];

        if (!reading->partition)
            continue;
        read_partition(fetch, &fetch->context.items[i], reading, left);
        fetch->bytes += reading->range.size;
        left -= reading->range.size < left ? reading->range.size : left;
    }
}

static void forget_ranges(fetch_t *fetch)
{
    for (int i = 0; i < fetch->context.count; i++)
        read_range_release(&fetch->readings[i].range);
}

/* ---- the answer ---------------------------------------------------------- */

static void put_partition(fetch_t *fetch, const fetch_item_t *item,
                          reading_t *reading, answer_partition_t *to)
{
    fetch_response_partition_data_init(to);
    to->partition_index = item->partition;
    to->error_code = reading->error;
    to->high_watermark = reading->high_watermark;
    to->last_stable_offset = reading->last_stable_offset;
    to->log_start_offset = reading->log_start_offset;
    if (reading->diverging_epoch >= 0) {
        to->diverging_epoch.epoch = reading->diverging_epoch;
        to->diverging_epoch.end_offset = reading->diverging_end;
    }
    to->aborted_transactions_count = reading->aborted_count;
    if (reading->aborted_count > 0)
        to->aborted_transactions = apr_palloc(
            fetch->request->pool,
            reading->aborted_count * sizeof *to->aborted_transactions);
    for (int i = 0; i < reading->aborted_count; i++) {
        to->aborted_transactions[i].producer_id =
            reading->aborted[i].producer_id;
        to->aborted_transactions[i].first_offset =
            reading->aborted[i].first_offset;
    }
    to->records.length = (int32_t)reading->range.size;
    if (reading->range.size > 0)
        to->records.ranges = &reading->range;
}

static int same_topic(const fetch_item_t *a, const fetch_item_t *b)
{
    return wire_uuid_equal(&a->topic_id, &b->topic_id) &&
           wire_string_equal(a->topic, b->topic);
}

/* Groups what is answered by topic, in the order it was read. */
static void put_all(fetch_t *fetch, fetch_response_t *response)
{
    int room = fetch->context.count + 1;
    apr_pool_t *pool = fetch->request->pool;
    answer_partition_t *partitions = apr_palloc(pool, room * sizeof *partitions);
    const fetch_item_t *last = NULL;
    answer_topic_t *topic = NULL;

    response->responses = apr_palloc(pool, room * sizeof *response->responses);
    response->responses_count = 0;
    for (int i = 0; i < fetch->context.count; i++) {
        const fetch_item_t *item = &fetch->context.items[i];
        reading_t *reading = &fetch->readings[i];

        if (!fetch_context_must_answer(fetch->request->broker->fetch_sessions,
                                       &fetch->context, item, reading->error,
                                       reading->high_watermark,
                                       reading->log_start_offset,
                                       reading->range.size +
                                           (reading->diverging_epoch >= 0)))
            continue;
        if (!last || !same_topic(last, item)) {
            topic = &response->responses[response->responses_count++];
            fetch_response_fetchable_topic_response_init(topic);
            topic->topic = item->topic;
            topic->topic_id = item->topic_id;
            topic->partitions = partitions;
            topic->partitions_count = 0;
            last = item;
        }
        put_partition(fetch, item, reading, partitions++);
        topic->partitions_count++;
    }
}

static void release_partitions(fetch_t *fetch)
{
    for (int i = 0; i < fetch->context.count; i++)
        if (fetch->readings[i].partition)
            partition_release(fetch->readings[i].partition);
}

static void answer(fetch_t *fetch)
{
    fetch_response_t response;

    fetch_response_init(&response);
    response.session_id = fetch->context.session_id;
    if (fetch->replica == CONSUMER && fetch->bytes > 0)
        fetch->request->throttle_ms = request_quota(
            fetch->request, QUOTA_FETCH, (double)fetch->bytes, 1);
    if (fetch->request->throttle_ms > 0)
        /* Nothing is sent now; it is asked for once more. */
        forget_ranges(fetch);
    else
        put_all(fetch, &response);
    release_partitions(fetch);
    fetch_context_close(fetch->request->broker->fetch_sessions,
                        &fetch->context);
    /* The ranges now belong to the answer: the connection releases them. */
    request_reply(fetch->request, &response);
}

/* ---- the request --------------------------------------------------------- */

static int is_enough(const fetch_t *fetch)
{
    return fetch->urgent || fetch->bytes >= fetch->min_bytes;
}

/* Whether there is enough now; asked whenever a partition moved. */
static int ready(delayed_t *delayed)
{
    fetch_t *fetch = delayed->baton;

    forget_ranges(fetch);
    read_all(fetch);
    return is_enough(fetch);
}

/* READY was asked last, so the ranges are what there is now. */
static void complete(delayed_t *delayed, int expired)
{
    (void)expired;
    answer(delayed->baton);
}

static void wait_for_more(fetch_t *fetch)
{
    delayed_t *delayed =
        delayed_create(fetch->request->broker->purgatory, fetch->context.count,
                       ready, complete, fetch, fetch->request->pool);

    for (int i = 0; i < fetch->context.count; i++)
        if (fetch->readings[i].partition)
            delayed_watch(delayed, fetch->readings[i].partition,
                          PARTITION_APPENDED | PARTITION_GONE);
    delayed_start(delayed, apr_time_from_msec(fetch->body->max_wait_ms));
}

static int is_unknown(int16_t error)
{
    return error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION ||
           error == KAFKA_UNKNOWN_TOPIC_ID ||
           error == KAFKA_INCONSISTENT_TOPIC_ID;
}

/* Finds the partitions; those that cannot be read say so at once. */
static void look_up(fetch_t *fetch)
{
    int by_id = fetch->request->version >= 13;

    fetch->readings = apr_pcalloc(fetch->request->pool,
                                  (fetch->context.count + 1) *
                                      sizeof *fetch->readings);
    for (int i = 0; i < fetch->context.count; i++) {
        const fetch_item_t *item = &fetch->context.items[i];
        reading_t *reading = &fetch->readings[i];
        int16_t error = partition_lookup(
            fetch->request->broker, &item->topic, &item->topic_id, by_id,
            item->partition, item->current_leader_epoch, &reading->partition);

        reading->diverging_epoch = -1;
        reading->aborted_count = -1;
        if (error) {
            reading_fail(reading, error);
            /* As in Kafka: null only when it was there to be read. */
            if (is_unknown(error))
                reading->aborted_count = 0;
            fetch->urgent = 1;
        }
    }
}

/* More than the quota has room for would never be sent. */
static void limit_by_quota(fetch_t *fetch)
{
    request_t *request = fetch->request;
    int64_t most = quotas_most(
        request->broker->quotas, QUOTA_FETCH, request_user(request),
        request->client_id.length < 0
            ? ""
            : wire_string_dup(request->client_id, request->pool));

    if (most >= 0 && (apr_size_t)most < fetch->max_bytes)
        fetch->max_bytes = (apr_size_t)most;
}

static void set_limits(fetch_t *fetch)
{
    const fetch_request_t *body = fetch->body;
    int64_t most = config_int(fetch->request->broker->config,
                              CONFIG_FETCH_MAX_BYTES);

    if (body->max_bytes < most)
        most = body->max_bytes < 0 ? 0 : body->max_bytes;
    fetch->max_bytes = (apr_size_t)most;
    if (quotas_enabled(fetch->request->broker->quotas))
        limit_by_quota(fetch);
    fetch->min_bytes = body->min_bytes < 0 ? 0 : (apr_size_t)body->min_bytes;
    if (fetch->min_bytes > fetch->max_bytes)
        fetch->min_bytes = fetch->max_bytes;
    fetch->replica = body->replica_id >= 0 ? body->replica_id
                                           : body->replica_state.replica_id;
    if (fetch->replica < 0)
        fetch->replica = CONSUMER;
}

static void refuse(request_t *request, int16_t error)
{
    fetch_response_t response;

    fetch_response_init(&response);
    response.error_code = error;
    response.responses_count = 0;
    request_reply(request, &response);
}

void handle_fetch(request_t *request)
{
    fetch_t *fetch = apr_pcalloc(request->pool, sizeof *fetch);
    int16_t error;

    fetch->request = request;
    fetch->body = request->body;
    error = fetch_context_open(request->broker->fetch_sessions, fetch->body,
                               request->version, request->pool,
                               &fetch->context);
    if (error) {
        refuse(request, error);
        return;
    }
    set_limits(fetch);
    look_up(fetch);
    read_all(fetch);
    if (is_enough(fetch) || fetch->body->max_wait_ms <= 0 ||
        fetch->context.count == 0)
        answer(fetch);
    else
        wait_for_more(fetch);
}
