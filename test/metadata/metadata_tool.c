/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For scripts: what a data directory's metadata says, and a broker's life with
 * it, without the broker.
 *
 *     metadata_tool show DIR              one line a topic, configuration, ...
 *     metadata_tool records DIR           one line a record
 *     metadata_tool run DIR COMMAND...    start, commands, orderly stop:
 *         create=NAME,PARTITIONS[,KEY=VALUE...]  delete=NAME
 *         grow=NAME,TOTAL   set=NAME,KEY[=VALUE]   ids   snapshot
 *         crash (no orderly stop)
 *
 * The node is 1, with one listener at 127.0.0.1:9092.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "metadata/metadata.h"
#include "metadata/replay.h"
#include "record/builder.h"

static int fail(const char *what, apr_status_t status)
{
    char why[128];

    fprintf(stderr, "%s: %s\n", what,
            takhin_strerror(status, why, sizeof(why)));
    return 1;
}

static void print_ids(const char *name, const image_ids_t *list)
{
    printf(" %s=", name);
    for (int i = 0; i < list->count; i++)
        printf("%s%d", i ? "," : "", (int)list->ids[i]);
}

static apr_status_t show_topic(void *baton, const image_topic_t *topic)
{
    char id[WIRE_UUID_TEXT_LENGTH + 1];

    (void)baton;
    printf("topic %s id=%s partitions=%d\n", image_topic_name(topic),
           wire_uuid_format(image_topic_id(topic), id),
           (int)image_topic_partition_count(topic));
    for (int32_t i = 0; i < image_topic_partition_count(topic); i++) {
        const image_partition_t *p = image_topic_partition(topic, i);

        printf("partition %s-%d leader=%d epoch=%d", image_topic_name(topic),
               (int)i, (int)p->leader, (int)p->leader_epoch);
        print_ids("replicas", &p->replicas);
        print_ids("isr", &p->isr);
        print_ids("elr", &p->eligible);
        printf("\n");
    }
    return APR_SUCCESS;
}

static apr_status_t show_config(void *baton, int8_t type, const char *name,
                                const image_config_entry_t *entries, int count)
{
    (void)baton;
    for (int i = 0; i < count; i++)
        printf("config %d %s %s=%s\n", (int)type, name, entries[i].name,
               entries[i].value);
    return APR_SUCCESS;
}

static apr_status_t show_feature(void *baton, const char *name, int16_t level)
{
    (void)baton;
    printf("feature %s %d\n", name, (int)level);
    return APR_SUCCESS;
}

static apr_status_t show_broker(void *baton, const image_node_t *node)
{
    (void)baton;
    printf("broker %d fenced=%d\n", (int)node->id, (int)node->fenced);
    return APR_SUCCESS;
}

static apr_status_t show_quota(void *baton, const image_quota_t *quota)
{
    (void)baton;
    for (int v = 0; v < quota->value_count; v++) {
        printf("quota");
        for (int i = 0; i < quota->entity_count; i++)
            printf(" %s=%s", quota->entity[i].type,
                   quota->entity[i].name ? quota->entity[i].name : "<default>");
        printf(" %s=%g\n", quota->values[v].key, quota->values[v].value);
    }
    return APR_SUCCESS;
}

static apr_status_t show_scram(void *baton, const image_scram_t *scram)
{
    (void)baton;
    printf("scram %s mechanism=%d iterations=%d\n", scram->user,
           (int)scram->mechanism, (int)scram->iterations);
    return APR_SUCCESS;
}

static apr_status_t show_acl(void *baton, const image_acl_t *acl)
{
    (void)baton;
    printf("acl %s %s %s type=%d pattern=%d operation=%d permission=%d\n",
           acl->principal, acl->host, acl->resource, (int)acl->resource_type,
           (int)acl->pattern_type, (int)acl->operation, (int)acl->permission);
    return APR_SUCCESS;
}

static void show_image(const metadata_image_t *image)
{
    image_each_feature(image, show_feature, NULL);
    image_each_broker(image, show_broker, NULL);
    image_each_topic(image, show_topic, NULL);
    image_each_config(image, show_config, NULL);
    image_each_quota(image, show_quota, NULL);
    image_each_scram(image, show_scram, NULL);
    image_each_acl(image, show_acl, NULL);
    printf("producer-ids %" APR_INT64_T_FMT "\n",
           image_next_producer_id(image));
}

static apr_status_t print_record(void *baton, const record_batch_t *batch,
                                 const record_t *record, const frame_t *frame)
{
    (void)baton;
    printf("%" APR_INT64_T_FMT " epoch=%d %s", record->offset,
           (int)batch->partition_leader_epoch,
           frame ? frame->type->name : "control");
    if (frame)
        printf(" version=%d\n", (int)frame->version);
    else
        printf(" type=%d\n", record_control_type(record));
    return APR_SUCCESS;
}

static int replay(const char *directory, int records, apr_pool_t *pool)
{
    replay_t state;
    apr_status_t status = replay_init(&state, pool);

    if (status)
        return fail("replay_init", status);
    if (records)
        state.each = print_record;
    status = replay_directory(
        &state, apr_pstrcat(pool, directory, "/__cluster_metadata-0", NULL));
    if (status)
        return fail(state.error, status);
    replay_drop_transaction(&state);
    if (!records) {
        show_image(state.image);
        printf("end %" APR_INT64_T_FMT " epoch=%d\n", state.end_offset,
               (int)state.epoch);
    }
    replay_free(&state);
    return 0;
}

static int create(metadata_t *metadata, char *spec, apr_pool_t *pool)
{
    metadata_config_change_t configs[16];
    metadata_new_topic_t topic = {.configs = configs};
    char *last;
    char *part;
    apr_status_t status;

    topic.name = apr_strtok(spec, ",", &last);
    topic.partitions = atoi(apr_strtok(NULL, ",", &last));
    while ((part = apr_strtok(NULL, ",", &last)) != NULL) {
        configs[topic.config_count].key = part;
        part = strchr(part, '=');
        *part++ = '\0';
        configs[topic.config_count++].value = part;
    }
    status = metadata_create_topics(metadata, &topic, 1, 0, pool);
    if (!status)
        status = topic.status;
    return status ? fail(topic.name, status) : 0;
}

static int delete (metadata_t *metadata, const char *name, apr_pool_t *pool)
{
    const metadata_image_t *image = metadata_image(metadata);
    const image_topic_t *topic = image_topic(image, name, strlen(name));
    apr_status_t status =
        topic ? metadata_delete_topic(metadata, image_topic_id(topic), pool)
              : TAKHIN_EUNKNOWN_TOPIC;

    image_release(image);
    return status ? fail(name, status) : 0;
}

static int set(metadata_t *metadata, char *spec, apr_pool_t *pool)
{
    metadata_config_change_t change = {NULL, NULL};
    char *last;
    char *name = apr_strtok(spec, ",", &last);
    char *key = apr_strtok(NULL, ",", &last);
    char *value = strchr(key, '=');
    apr_status_t status;

    if (value)
        *value++ = '\0';
    change.key = key;
    change.value = value;
    status =
        metadata_alter_configs(metadata, CONFIG_TOPIC, name, &change, 1, pool);
    return status ? fail(name, status) : 0;
}

static int grow(metadata_t *metadata, char *spec, apr_pool_t *pool)
{
    char *last;
    char *name = apr_strtok(spec, ",", &last);
    apr_status_t status = metadata_create_partitions(
        metadata, name, atoi(apr_strtok(NULL, ",", &last)), 0, pool);

    return status ? fail(name, status) : 0;
}

static int ids(metadata_t *metadata, apr_pool_t *pool)
{
    int64_t first;
    int32_t count;
    apr_status_t status = metadata_producer_ids(metadata, &first, &count, pool);

    if (status)
        return fail("ids", status);
    printf("ids %" APR_INT64_T_FMT " %d\n", first, (int)count);
    return 0;
}

static int command(metadata_t *metadata, const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *argument = strchr(copy, '=');
    apr_status_t status;

    if (argument)
        *argument++ = '\0';
    if (strcmp(copy, "create") == 0)
        return create(metadata, argument, pool);
    if (strcmp(copy, "delete") == 0)
        return delete (metadata, argument, pool);
    if (strcmp(copy, "set") == 0)
        return set(metadata, argument, pool);
    if (strcmp(copy, "grow") == 0)
        return grow(metadata, argument, pool);
    if (strcmp(copy, "ids") == 0)
        return ids(metadata, pool);
    if (strcmp(copy, "snapshot") == 0) {
        status = metadata_snapshot(metadata);
        return status ? fail("snapshot", status) : 0;
    }
    if (strcmp(copy, "crash") == 0) {
        fflush(stdout);
        _Exit(0); /* nothing is closed, nothing runs any more */
    }
    fprintf(stderr, "unknown command %s\n", text);
    return 2;
}

static int run(const char *directory, int count, const char *const *commands,
               apr_pool_t *pool)
{
    const image_endpoint_t endpoint = {"PLAINTEXT", "127.0.0.1", 9092, 0};
    metadata_config_t config;
    metadata_t *metadata;
    const char *error;
    apr_status_t status;
    int failed = 0;

    metadata_config_init(&config);
    config.node_id = 1;
    config.metadata_log_dir = directory;
    config.log_dirs = &directory;
    config.log_dir_count = 1;
    status = metadata_open(&metadata, &config, NULL, pool, &error);
    if (status)
        return fail(error, status);
    status = metadata_start(metadata, &endpoint, 1, NULL);
    if (!status)
        status = metadata_unfence(metadata);
    if (status)
        return fail("start", status);
    for (int i = 0; i < count && !failed; i++)
        failed = command(metadata, commands[i], pool);
    status = metadata_stop(metadata);
    metadata_close(metadata);
    return status ? fail("stop", status) : failed;
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;

    apr_app_initialize(&argc, &argv, NULL);
    apr_pool_create(&pool, NULL);
    if (argc == 3 && strcmp(argv[1], "show") == 0)
        return replay(argv[2], 0, pool);
    if (argc == 3 && strcmp(argv[1], "records") == 0)
        return replay(argv[2], 1, pool);
    if (argc >= 3 && strcmp(argv[1], "run") == 0)
        return run(argv[2], argc - 3, argv + 3, pool);
    fprintf(stderr, "metadata_tool show|records|run DIR [COMMAND...]\n");
    return 2;
}
