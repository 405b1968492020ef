/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ElectLeaders (KIP-183, KIP-460) as one broker answers: each partition's
 * only replica leads it, so that no election is ever needed.
 */
#include <apr_strings.h>

#include "api/context.h"
#include "api/handlers.h"
#include "protocol/elect_leaders_request.h"
#include "protocol/elect_leaders_response.h"
#include "protocol/error_code.h"

typedef elect_leaders_request_topic_partitions_t asked_t;
typedef elect_leaders_response_replica_election_result_t result_t;

enum { ELECTION_PREFERRED = 0, ELECTION_UNCLEAN = 1 };

static int16_t election_error(const image_topic_t *topic, int32_t index)
{
    return topic && image_topic_partition(topic, index)
               ? KAFKA_ELECTION_NOT_NEEDED
               : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

/* ERROR, unless it is 0, is the answer for every partition. */
static void put_asked(request_t *request, const metadata_image_t *image,
                      const asked_t *asked, int16_t error, result_t *result)
{
    const image_topic_t *topic =
        image_topic(image, asked->topic.data, asked->topic.length);

    elect_leaders_response_replica_election_result_init(result);
    result->topic = asked->topic;
    result->partition_result_count = asked->partitions_count;
    result->partition_result =
        apr_palloc(request->pool, (asked->partitions_count + 1) *
                                      sizeof *result->partition_result);
    for (int32_t i = 0; i < asked->partitions_count; i++) {
        elect_leaders_response_partition_result_t *to =
            &result->partition_result[i];

        elect_leaders_response_partition_result_init(to);
        to->partition_id = asked->partitions[i];
        to->error_code =
            error ? error : election_error(topic, asked->partitions[i]);
        to->error_message = wire_string_from(kafka_error_text(to->error_code));
    }
}

static apr_status_t put_quiet_topic(void *baton, const image_topic_t *topic)
{
    elect_leaders_response_t *response = baton;
    result_t *result = &response->replica_election_results
                            [response->replica_election_results_count++];

    elect_leaders_response_replica_election_result_init(result);
    result->topic = wire_string_from(image_topic_name(topic));
    result->partition_result_count = 0;
    return APR_SUCCESS;
}

void handle_elect_leaders(request_t *request)
{
    const elect_leaders_request_t *body = request->body;
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    elect_leaders_response_t response;
    int32_t count = body->topic_partitions_count;

    elect_leaders_response_init(&response);
    if (count != 0 && body->election_type != ELECTION_PREFERRED &&
        body->election_type != ELECTION_UNCLEAN)
        response.error_code = KAFKA_INVALID_REQUEST;
    response.replica_election_results_count = 0;
    response.replica_election_results = apr_palloc(
        request->pool,
        ((count < 0 ? (int32_t)image_topic_count(image) : count) + 1) *
            sizeof *response.replica_election_results);
    for (int32_t i = 0; i < count; i++)
        put_asked(request, image, &body->topic_partitions[i],
                  response.error_code,
                  &response.replica_election_results
                       [response.replica_election_results_count++]);
    /* All topics: what needs no election is not mentioned. */
    if (count < 0 && !response.error_code)
        image_each_topic(image, put_quiet_topic, &response);
    request_reply(request, &response);
    image_release(image);
}
