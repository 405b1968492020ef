/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OffsetForLeaderEpoch: where an epoch ended, so that a client or follower can
 * find the last offset it shares with the leader (KIP-101, KIP-320).
 */
#include "api/handlers.h"
#include "api/partition_lookup.h"
#include "protocol/error_code.h"
#include "protocol/offset_for_leader_epoch_request.h"
#include "protocol/offset_for_leader_epoch_response.h"

typedef offset_for_leader_epoch_request_offset_for_leader_partition_t asked_t;
typedef offset_for_leader_epoch_response_epoch_end_offset_t answer_t;

static void answer_one(request_t *request, const wire_string_t *topic,
                       const asked_t *asked, answer_t *answer)
{
    partition_t *partition;

    offset_for_leader_epoch_response_epoch_end_offset_init(answer);
    answer->partition = asked->partition;
    answer->error_code =
        partition_lookup(request->broker, topic, NULL, 0, asked->partition,
                         asked->current_leader_epoch, &partition);
    if (!partition)
        return;
    if (asked->leader_epoch == partition_leader_epoch(partition)) {
        /* The current epoch goes on: it ends where the log does. */
        answer->leader_epoch = asked->leader_epoch;
        answer->end_offset = log_end_offset(partition_log(partition));
    } else {
        log_end_offset_for_epoch(partition_log(partition),
                                 asked->leader_epoch, &answer->leader_epoch,
                                 &answer->end_offset);
    }
    partition_release(partition);
}

void handle_offset_for_leader_epoch(request_t *request)
{
    const offset_for_leader_epoch_request_t *body = request->body;
    offset_for_leader_epoch_response_t response;

    offset_for_leader_epoch_response_init(&response);
    response.topics_count = body->topics_count;
    response.topics = apr_pcalloc(request->pool, (body->topics_count + 1) *
                                                     sizeof *response.topics);
    for (int32_t t = 0; t < body->topics_count; t++) {
        int32_t count = body->topics[t].partitions_count;

        response.topics[t].topic = body->topics[t].topic;
        response.topics[t].partitions_count = count;
        response.topics[t].partitions =
            apr_palloc(request->pool,
                       (count + 1) * sizeof *response.topics[t].partitions);
        for (int32_t p = 0; p < count; p++)
            answer_one(request, &body->topics[t].topic,
                       &body->topics[t].partitions[p],
                       &response.topics[t].partitions[p]);
    }
    request_reply(request, &response);
}
