/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListOffsets: the offset at a time, or at one of the special times below. A
 * consumer is shown offsets up to the high watermark, or with read_committed
 * up to the last stable offset (KIP-98); a replica up to the log's end.
 */
#include <apr_hash.h>

#include "api/error.h"
#include "api/handlers.h"
#include "api/partition_lookup.h"
#include "protocol/error_code.h"
#include "protocol/list_offsets_request.h"
#include "protocol/list_offsets_response.h"

typedef list_offsets_request_list_offsets_partition_t asked_t;
typedef list_offsets_response_list_offsets_partition_response_t answer_t;

enum {
    TIME_LATEST = -1,
    TIME_EARLIEST = -2,
    TIME_MAX_TIMESTAMP = -3,     /* KIP-734 */
    TIME_EARLIEST_LOCAL = -4,    /* KIP-405 */
    TIME_LATEST_TIERED = -5,     /* KIP-1005 */
    TIME_EARLIEST_PENDING = -6,  /* KIP-1023: not yet in a remote tier */
    CONSUMER = -1,               /* replica id */
    READ_COMMITTED = 1
};

/* The first version that knows a special time. */
static int16_t version_of_time(int64_t time)
{
    switch (time) {
    case TIME_MAX_TIMESTAMP: return 7;
    case TIME_EARLIEST_LOCAL: return 8;
    case TIME_LATEST_TIERED: return 9;
    case TIME_EARLIEST_PENDING: return 11;
    default: return time >= TIME_EARLIEST ? 1 : INT16_MAX;
    }
}

/* Up to where the client may see. */
static int64_t visible_end(const request_t *request,
                           const partition_t *partition)
{
    const list_offsets_request_t *body = request->body;

    if (body->replica_id != CONSUMER)
        return log_end_offset(partition_log(partition));
    return body->isolation_level == READ_COMMITTED
               ? partition_last_stable_offset(partition)
               : partition_high_watermark(partition);
}

/* By time, or the newest time: what the log finds, unless it lies beyond what
 * the client may see. Nothing found is offset -1, no error. */
static int16_t find_by_time(const request_t *request,
                            const partition_t *partition, int64_t time,
                            answer_t *answer)
{
    log_t *log = partition_log(partition);
    int64_t end = visible_end(request, partition);
    log_position_t found = { -1, -1, -1 };
    apr_status_t status = time == TIME_MAX_TIMESTAMP
                              ? log_max_timestamp(log, &found)
                              : log_offset_for_timestamp(log, time, end,
                                                         &found);

    if (status)
        return api_error(status);
    if (found.offset < 0 || found.offset >= end)
        return KAFKA_NONE;
    answer->offset = found.offset;
    answer->timestamp = found.timestamp;
    answer->leader_epoch = found.leader_epoch;
    return KAFKA_NONE;
}

/* The first record's epoch; that of an empty log is the one it waits in. */
static void find_earliest(const partition_t *partition, answer_t *answer)
{
    log_t *log = partition_log(partition);

    answer->offset = log_start_offset(log);
    answer->leader_epoch = answer->offset == log_end_offset(log)
                               ? partition_leader_epoch(partition)
                               : log_epoch_for_offset(log, answer->offset);
}

static int16_t find(const request_t *request, const partition_t *partition,
                    int64_t time, answer_t *answer)
{
    switch (time) {
    case TIME_LATEST:
        answer->offset = visible_end(request, partition);
        answer->leader_epoch = partition_leader_epoch(partition);
        return KAFKA_NONE;
    case TIME_EARLIEST:
    case TIME_EARLIEST_LOCAL:
        find_earliest(partition, answer);
        return KAFKA_NONE;
    case TIME_LATEST_TIERED:
    case TIME_EARLIEST_PENDING:
        return KAFKA_NONE; /* there is no remote tier: -1 */
    default:
        return find_by_time(request, partition, time, answer);
    }
}

/* A partition that is asked for more than once is answered once, so. */
static void put_twin(answer_t *answer, int32_t partition)
{
    list_offsets_response_list_offsets_partition_response_init(answer);
    answer->partition_index = partition;
    answer->error_code = KAFKA_INVALID_REQUEST;
}

static void answer_one(request_t *request, const wire_string_t *topic,
                       const asked_t *asked, answer_t *answer)
{
    partition_t *partition;

    list_offsets_response_list_offsets_partition_response_init(answer);
    answer->partition_index = asked->partition_index;
    if (request->version < version_of_time(asked->timestamp)) {
        answer->error_code = KAFKA_UNSUPPORTED_VERSION;
        return;
    }
    answer->error_code =
        partition_lookup(request->broker, topic, NULL, 0,
                         asked->partition_index, asked->current_leader_epoch,
                         &partition);
    if (!partition)
        return;
    answer->error_code = find(request, partition, asked->timestamp, answer);
    if (request->version < 4)
        answer->leader_epoch = -1; /* older answers have no place for it */
    partition_release(partition);
}

static void answer_topic(request_t *request, int32_t t,
                         list_offsets_response_list_offsets_topic_response_t *to)
{
    const list_offsets_request_t *body = request->body;
    const list_offsets_request_list_offsets_topic_t *from = &body->topics[t];
    apr_hash_t *seen = apr_hash_make(request->pool);

    to->name = from->name;
    to->partitions_count = 0;
    to->partitions = apr_palloc(request->pool, (from->partitions_count + 1) *
                                                   sizeof *to->partitions);
    for (int32_t p = 0; p < from->partitions_count; p++) {
        const asked_t *asked = &from->partitions[p];
        answer_t *answer = apr_hash_get(seen, &asked->partition_index,
                                        sizeof asked->partition_index);

        if (answer) {
            put_twin(answer, asked->partition_index);
            continue;
        }
        answer = &to->partitions[to->partitions_count++];
        apr_hash_set(seen, &asked->partition_index,
                     sizeof asked->partition_index, answer);
        answer_one(request, &from->name, asked, answer);
    }
}

void handle_list_offsets(request_t *request)
{
    const list_offsets_request_t *body = request->body;
    list_offsets_response_t response;

    list_offsets_response_init(&response);
    response.topics_count = body->topics_count;
    response.topics = apr_pcalloc(request->pool, (body->topics_count + 1) *
                                                     sizeof *response.topics);
    for (int32_t t = 0; t < body->topics_count; t++)
        answer_topic(request, t, &response.topics[t]);
    request_reply(request, &response);
}
