/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeTopicPartitions (KIP-966): topics in the order of their names, page
 * by page. A page ends after so many partitions, and its cursor says with which
 * topic and partition the next one begins.
 */
#include <apr_hash.h>
#include <stdlib.h>
#include <string.h>

#include "api/authorized.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/topic_name.h"
#include "protocol/describe_topic_partitions_request.h"
#include "protocol/describe_topic_partitions_response.h"
#include "protocol/error_code.h"

typedef describe_topic_partitions_request_t body_t;
typedef describe_topic_partitions_response_t response_t;
typedef describe_topic_partitions_response_describe_topic_partitions_response_topic_t
    topic_result_t;
typedef describe_topic_partitions_response_describe_topic_partitions_response_partition_t
    partition_result_t;

typedef struct {
    request_t *request;
    const body_t *body;
    const metadata_image_t *image;
    wire_string_t *names; /* sorted, none twice, none before the cursor */
    int32_t count;
    int32_t left; /* partitions that still fit */
    response_t response;
} page_t;

/* ---- which topics ---------------------------------------------------------- */

static int compare(wire_string_t a, wire_string_t b)
{
    int32_t shorter = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.data, b.data, shorter);

    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_names(const void *a, const void *b)
{
    return compare(*(const wire_string_t *)a, *(const wire_string_t *)b);
}

static void add_name(page_t *page, wire_string_t name)
{
    if (!page->body->cursor ||
        compare(name, page->body->cursor->topic_name) >= 0)
        page->names[page->count++] = name;
}

static apr_status_t add_topic(void *baton, const image_topic_t *topic)
{
    wire_string_t name = {image_topic_name(topic),
                          (int32_t)image_topic_name_length(topic)};

    add_name(baton, name);
    return APR_SUCCESS;
}

static void drop_twins(page_t *page)
{
    int32_t kept = 0;

    for (int32_t i = 0; i < page->count; i++)
        if (kept == 0 || compare(page->names[kept - 1], page->names[i]) != 0)
            page->names[kept++] = page->names[i];
    page->count = kept;
}

static void collect(page_t *page)
{
    const body_t *body = page->body;
    apr_size_t room = body->topics_count > 0 ? (apr_size_t)body->topics_count
                                             : image_topic_count(page->image);

    page->names =
        apr_palloc(page->request->pool, (room + 1) * sizeof *page->names);
    for (int32_t i = 0; i < body->topics_count; i++)
        add_name(page, body->topics[i].name);
    if (body->topics_count <= 0)
        image_each_topic(page->image, add_topic, page);
    qsort(page->names, page->count, sizeof *page->names, compare_names);
    drop_twins(page);
}

/* A cursor must name a topic that is asked for, and a partition. */
static int cursor_is_wrong(const page_t *page)
{
    const body_t *body = page->body;

    if (!body->cursor)
        return 0;
    if (body->cursor->partition_index < 0)
        return 1;
    return body->topics_count > 0 &&
           (page->count == 0 ||
            compare(page->names[0], body->cursor->topic_name) != 0);
}

/* ---- the page -------------------------------------------------------------- */

static topic_result_t *next_topic(page_t *page, wire_string_t name)
{
    topic_result_t *to = &page->response.topics[page->response.topics_count++];

    describe_topic_partitions_response_describe_topic_partitions_response_topic_init(
        to);
    to->name = name;
    to->partitions_count = 0;
    return to;
}

static void set_cursor(page_t *page, wire_string_t name, int32_t partition)
{
    describe_topic_partitions_response_cursor_t *cursor =
        apr_palloc(page->request->pool, sizeof *cursor);

    describe_topic_partitions_response_cursor_init(cursor);
    cursor->topic_name = name;
    cursor->partition_index = partition;
    page->response.next_cursor = cursor;
}

static void put_partition(partition_result_t *to, int32_t index,
                          const image_partition_t *from)
{
    describe_topic_partitions_response_describe_topic_partitions_response_partition_init(
        to);
    to->partition_index = index;
    to->leader_id = from->leader;
    to->leader_epoch = from->leader_epoch;
    to->replica_nodes = (int32_t *)from->replicas.ids;
    to->replica_nodes_count = from->replicas.count;
    to->isr_nodes = (int32_t *)from->isr.ids;
    to->isr_nodes_count = from->isr.count;
    to->eligible_leader_replicas = (int32_t *)from->eligible.ids;
    to->eligible_leader_replicas_count = from->eligible.count;
    to->last_known_elr = (int32_t *)from->last_known.ids;
    to->last_known_elr_count = from->last_known.count;
    to->offline_replicas_count = 0;
}

/* Puts the partitions of TOPIC from START on, as many as fit; 0 when the page
 * is full before its end. */
static int put_topic(page_t *page, const image_topic_t *topic, int32_t start)
{
    wire_string_t name = {image_topic_name(topic),
                          (int32_t)image_topic_name_length(topic)};
    topic_result_t *to = next_topic(page, name);
    int32_t total = image_topic_partition_count(topic);
    int32_t end = start < total - page->left ? start + page->left : total;
    int32_t index;

    to->topic_id = *image_topic_id(topic);
    to->is_internal = topic_name_is_internal(name.data, name.length);
    to->topic_authorized_operations = AUTHORIZED_TOPIC;
    to->partitions =
        apr_palloc(page->request->pool, (start < end ? end - start + 1 : 1) *
                                            sizeof *to->partitions);
    for (index = start; index < end; index++) {
        const image_partition_t *from = image_topic_partition(topic, index);

        if (from)
            put_partition(&to->partitions[to->partitions_count++], index, from);
    }
    if (end < total) {
        set_cursor(page, name, end);
        return 0;
    }
    page->left -= to->partitions_count;
    return 1;
}

static void put_missing(page_t *page, wire_string_t name)
{
    topic_result_t *to = next_topic(page, name);

    to->error_code =
        topic_name_error(name.data, name.length, page->request->pool)
            ? KAFKA_INVALID_TOPIC_EXCEPTION
            : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    to->is_internal = topic_name_is_internal(name.data, name.length);
    to->topic_authorized_operations = AUTHORIZED_TOPIC;
}

static void put_page(page_t *page)
{
    const describe_topic_partitions_request_cursor_t *cursor =
        page->body->cursor;

    for (int32_t i = 0; i < page->count; i++) {
        wire_string_t name = page->names[i];
        const image_topic_t *topic =
            image_topic(page->image, name.data, name.length);
        int32_t start = cursor && compare(name, cursor->topic_name) == 0
                            ? cursor->partition_index
                            : 0;

        if (page->left <= 0) {
            set_cursor(page, name, 0);
            return;
        }
        if (!topic)
            put_missing(page, name);
        else if (!put_topic(page, topic, start))
            return;
    }
}

/* The request as a whole is wrong: so is each topic of it. */
static void put_refusal(page_t *page)
{
    for (int32_t i = 0; i < page->body->topics_count; i++)
        next_topic(page, page->body->topics[i].name)->error_code =
            KAFKA_INVALID_REQUEST;
}

void handle_describe_topic_partitions(request_t *request)
{
    page_t page = {.request = request,
                   .body = request->body,
                   .image = metadata_image(request->broker->metadata)};
    int32_t most = config_int(request->broker->config,
                              CONFIG_MAX_REQUEST_PARTITION_SIZE_LIMIT);
    int32_t room;

    describe_topic_partitions_response_init(&page.response);
    collect(&page);
    page.left = page.body->response_partition_limit < most
                    ? page.body->response_partition_limit
                    : most;
    if (page.left < 1)
        page.left = 1;
    room = page.count > page.body->topics_count ? page.count
                                                : page.body->topics_count;
    page.response.topics_count = 0;
    page.response.topics =
        apr_palloc(request->pool, (room + 1) * sizeof *page.response.topics);
    if (cursor_is_wrong(&page))
        put_refusal(&page);
    else
        put_page(&page);
    request_reply(request, &page.response);
    image_release(page.image);
}
