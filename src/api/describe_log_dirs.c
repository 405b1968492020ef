/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeLogDirs (KIP-113, KIP-827): each entry of log.dirs with the logs that
 * lie in it and the space on its device. A log that is on its way to another
 * directory is named there too, as a future one.
 */
#include <apr_file_info.h>
#include <apr_hash.h>
#include <string.h>

#include "api/context.h"
#include "api/handlers.h"
#include "base/fs.h"
#include "protocol/describe_log_dirs_request.h"
#include "protocol/describe_log_dirs_response.h"
#include "protocol/error_code.h"

typedef describe_log_dirs_response_describe_log_dirs_result_t dir_result_t;
typedef describe_log_dirs_response_describe_log_dirs_topic_t topic_result_t;
typedef describe_log_dirs_response_describe_log_dirs_partition_t
    partition_result_t;

/* One log: where it lies, and whether it is to replace another. */
typedef struct {
    const char *topic;
    int32_t index;
    const log_dir_t *dir;
    int64_t size;
    int64_t lag;
    int is_future;
} found_t;

typedef struct {
    request_t *request;
    apr_array_header_t *found; /* found_t, topic by topic */
} describe_t;

static void add_log(describe_t *describe, partition_t *partition, log_t *log,
                    int is_future)
{
    int64_t reached = is_future ? log_end_offset(partition_log(partition))
                                : partition_high_watermark(partition);
    found_t *found = apr_array_push(describe->found);

    found->topic = partition_topic_name(partition);
    found->index = partition_index(partition);
    found->dir = log_directory(log);
    found->size = log_size(log);
    found->lag = reached - log_end_offset(log);
    if (found->lag < 0)
        found->lag = 0;
    found->is_future = is_future;
}

static void add_partition(describe_t *describe, topic_t *topic, int32_t index)
{
    partition_t *partition;
    log_t *future;

    if (topic_partition(topic, index, &partition))
        return; /* there is none, or its directory is offline */
    add_log(describe, partition, partition_log(partition), 0);
    future = partition_future(partition);
    if (future) {
        add_log(describe, partition, future, 1);
        log_release(future);
    }
    partition_release(partition);
}

static void add_all(describe_t *describe, topic_t ***topics, int *count)
{
    topics_all(describe->request->broker->topics, topics, count,
               describe->request->pool);
    for (int i = 0; i < *count; i++)
        for (int32_t p = 0; p < topic_partition_count((*topics)[i]); p++)
            add_partition(describe, (*topics)[i], p);
}

/* The topics asked for; one that is named twice is described once. */
static void add_asked(describe_t *describe, topic_t ***topics, int *count)
{
    const describe_log_dirs_request_t *body = describe->request->body;
    apr_pool_t *pool = describe->request->pool;
    apr_hash_t *seen = apr_hash_make(pool);

    *topics = apr_palloc(pool, (body->topics_count + 1) * sizeof **topics);
    *count = 0;
    for (int32_t i = 0; i < body->topics_count; i++) {
        wire_string_t name = body->topics[i].topic;
        topic_t *topic;
        apr_hash_t *partitions = apr_hash_get(seen, name.data, name.length);

        if (!partitions) {
            partitions = apr_hash_make(pool);
            apr_hash_set(seen, name.data, name.length, partitions);
        }
        if (topics_get(describe->request->broker->topics, name.data,
                       name.length, &topic))
            continue;
        (*topics)[(*count)++] = topic;
        for (int32_t p = 0; p < body->topics[i].partitions_count; p++) {
            const int32_t *index = &body->topics[i].partitions[p];

            if (apr_hash_get(partitions, index, sizeof *index))
                continue;
            apr_hash_set(partitions, index, sizeof *index, index);
            add_partition(describe, topic, *index);
        }
    }
}

/* ---- the answer ------------------------------------------------------------ */

/* How many logs of TOPIC lie in DIR. */
static apr_size_t logs_of(const describe_t *describe, const char *topic,
                          const log_dir_t *dir, int from)
{
    apr_size_t count = 0;

    for (int i = from; i < describe->found->nelts; i++) {
        const found_t *found = &APR_ARRAY_IDX(describe->found, i, found_t);

        if (strcmp(found->topic, topic))
            break;
        count += found->dir == dir;
    }
    return count;
}

static void put_logs(const describe_t *describe, const log_dir_t *dir,
                     dir_result_t *result)
{
    apr_pool_t *pool = describe->request->pool;
    topic_result_t *topic = NULL;
    const char *name = "";

    result->topics =
        apr_palloc(pool, (describe->found->nelts + 1) * sizeof *result->topics);
    for (int i = 0; i < describe->found->nelts; i++) {
        const found_t *found = &APR_ARRAY_IDX(describe->found, i, found_t);
        partition_result_t *to;

        if (found->dir != dir)
            continue;
        if (strcmp(name, found->topic))
            topic = NULL;
        name = found->topic;
        if (!topic) {
            topic = &result->topics[result->topics_count++];
            describe_log_dirs_response_describe_log_dirs_topic_init(topic);
            topic->name = wire_string_from(name);
            topic->partitions_count = 0;
            topic->partitions =
                apr_palloc(pool, logs_of(describe, name, dir, i) *
                                     sizeof *topic->partitions);
        }
        to = &topic->partitions[topic->partitions_count++];
        describe_log_dirs_response_describe_log_dirs_partition_init(to);
        to->partition_index = found->index;
        to->partition_size = found->size;
        to->offset_lag = found->lag;
        to->is_future_key = found->is_future != 0;
    }
}

static void put_dir(const describe_t *describe, const log_dir_t *dir,
                    dir_result_t *result)
{
    apr_pool_t *pool = describe->request->pool;
    const char *path = log_dir_path(dir);
    apr_off_t free_bytes, total_bytes;
    char *absolute;

    describe_log_dirs_response_describe_log_dirs_result_init(result);
    if (apr_filepath_merge(&absolute, NULL, path, 0, pool))
        absolute = (char *)path; /* it is only shown */
    result->log_dir = wire_string_from(absolute);
    result->topics_count = 0;
    if (!log_dir_online(dir) ||
        fs_free_space(path, &free_bytes, &total_bytes)) {
        result->error_code = KAFKA_KAFKA_STORAGE_ERROR;
        return;
    }
    result->total_bytes = total_bytes;
    result->usable_bytes = free_bytes;
    put_logs(describe, dir, result);
}

void handle_describe_log_dirs(request_t *request)
{
    const describe_log_dirs_request_t *body = request->body;
    const broker_t *broker = request->broker;
    describe_t describe = {request,
                           apr_array_make(request->pool, 16, sizeof(found_t))};
    describe_log_dirs_response_t response;
    topic_t **topics;
    int count;

    if (body->topics_count < 0)
        add_all(&describe, &topics, &count);
    else
        add_asked(&describe, &topics, &count);
    describe_log_dirs_response_init(&response);
    response.results_count = broker->log_dir_count;
    response.results = apr_palloc(request->pool, (broker->log_dir_count + 1) *
                                                     sizeof *response.results);
    for (int i = 0; i < broker->log_dir_count; i++)
        put_dir(&describe, broker->log_dirs[i], &response.results[i]);
    request_reply(request, &response);
    for (int i = 0; i < count; i++)
        topic_release(topics[i]); /* their names were in the answer */
}
