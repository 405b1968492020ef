/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "metadata/directory.h"
#include "metadata/metadata.h"
#include "metadata/record_writer.h"
#include "metadata/replay.h"
#include "protocol/begin_transaction_record.h"
#include "protocol/client_quota_record.h"
#include "protocol/topic_record.h"
#include "protocol/user_scram_credential_record.h"
#include "protocol/voters_record.h"

static const image_endpoint_t endpoint = {"PLAINTEXT", "127.0.0.1", 9092, 0};

static const char *error; /* of the last open */

static apr_status_t open_as(metadata_t **metadata, const char *directory,
                            int32_t node, const char *cluster)
{
    const char **directories = apr_palloc(unit_pool(), sizeof(*directories));
    metadata_config_t config;

    *directories = directory;
    metadata_config_init(&config);
    config.node_id = node;
    config.cluster_id = cluster;
    config.metadata_log_dir = directory;
    config.log_dirs = directories;
    config.log_dir_count = 1;
    *metadata = NULL;
    return metadata_open(metadata, &config, NULL, unit_pool(), &error);
}

static metadata_t *start(const char *directory)
{
    metadata_t *metadata;

    UNIT_OK(open_as(&metadata, directory, 1, NULL));
    if (!metadata) {
        CU_FAIL_FATAL("the directory is not opened");
        return NULL;
    }
    UNIT_OK(metadata_start(metadata, &endpoint, 1, NULL));
    UNIT_OK(metadata_unfence(metadata));
    return metadata;
}

static void stop(metadata_t *metadata)
{
    UNIT_OK(metadata_stop(metadata));
    metadata_close(metadata);
}

static apr_status_t create(metadata_t *metadata, const char *name,
                           int32_t partitions)
{
    metadata_config_change_t config = {"retention.ms", "1000"};
    metadata_new_topic_t topic = {.name = name,
                                  .partitions = partitions,
                                  .configs = &config,
                                  .config_count = 1};
    apr_status_t status =
        metadata_create_topics(metadata, &topic, 1, 0, unit_pool());

    return status ? status : topic.status;
}

static apr_status_t delete (metadata_t *metadata, const char *name)
{
    const metadata_image_t *image = metadata_image(metadata);
    const image_topic_t *topic = image_topic(image, name, strlen(name));
    apr_status_t status =
        topic ? metadata_delete_topic(metadata, image_topic_id(topic),
                                      unit_pool())
              : TAKHIN_EUNKNOWN_TOPIC;

    image_release(image);
    return status;
}

/* The number of partitions of NAME, 0 when there is no such topic. */
static int32_t partitions(metadata_t *metadata, const char *name)
{
    const metadata_image_t *image = metadata_image(metadata);
    const image_topic_t *topic = image_topic(image, name, strlen(name));
    int32_t count = topic ? image_topic_partition_count(topic) : 0;

    image_release(image);
    return count;
}

static int32_t leader_epoch_of(metadata_t *metadata, const char *name)
{
    const metadata_image_t *image = metadata_image(metadata);
    const image_topic_t *topic = image_topic(image, name, strlen(name));
    int32_t epoch = topic ? image_topic_partition(topic, 0)->leader_epoch : -1;

    image_release(image);
    return epoch;
}

static const char *log_file(const char *directory, int64_t base)
{
    return apr_psprintf(unit_pool(),
                        "%s/__cluster_metadata-0/%020" APR_INT64_T_FMT ".log",
                        directory, base);
}

/* ---- formatting ---------------------------------------------------------- */

static void a_new_directory_is_formatted_for_node_and_cluster(void)
{
    const char *directory = unit_tmpdir();
    directory_meta_t meta;
    metadata_t *metadata;

    UNIT_OK(open_as(&metadata, directory, 7, "MkU3OEVBNTcwNTJENDM2Qg"));
    UNIT_OK(directory_read_meta(&meta, directory, unit_pool(), &error));
    CU_ASSERT_EQUAL(meta.node_id, 7);
    CU_ASSERT_STRING_EQUAL(meta.cluster_id, "MkU3OEVBNTcwNTJENDM2Qg");
    CU_ASSERT(!wire_uuid_is_zero(&meta.directory_id));
    CU_ASSERT(wire_uuid_equal(&meta.directory_id,
                              metadata_directory_id(metadata, 0)));
    metadata_close(metadata);
}

static void another_nodes_or_clusters_directory_is_refused(void)
{
    const char *directory = unit_tmpdir();
    metadata_t *metadata;

    UNIT_OK(open_as(&metadata, directory, 1, "MkU3OEVBNTcwNTJENDM2Qg"));
    metadata_close(metadata);
    CU_ASSERT_EQUAL(open_as(&metadata, directory, 2, NULL), TAKHIN_EINVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "node.id 1, not 2"));
    CU_ASSERT_EQUAL(open_as(&metadata, directory, 1, "other"), TAKHIN_EINVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "MkU3OEVBNTcwNTJENDM2Qg, not other"));
}

static void a_directory_of_something_else_is_left_alone(void)
{
    const char *directory = unit_tmpdir();
    metadata_t *metadata;

    UNIT_OK(fs_write_atomic(
        apr_pstrcat(unit_pool(), directory, "/thesis.tex", NULL), "x", 1));
    CU_ASSERT(APR_STATUS_IS_ENOTEMPTY(open_as(&metadata, directory, 1, NULL)));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "thesis.tex"));
}

/* ---- a broker's life ----------------------------------------------------- */

static void topics_are_there_again_after_a_restart(void)
{
    const char *directory = unit_tmpdir();
    metadata_t *metadata = start(directory);
    const metadata_image_t *image;

    UNIT_OK(create(metadata, "kept", 3));
    UNIT_OK(create(metadata, "gone", 1));
    UNIT_OK(delete (metadata, "gone"));
    UNIT_OK(metadata_create_partitions(metadata, "kept", 5, 0, unit_pool()));
    stop(metadata);

    metadata = start(directory);
    CU_ASSERT_EQUAL(partitions(metadata, "kept"), 5);
    CU_ASSERT_EQUAL(partitions(metadata, "gone"), 0);
    image = metadata_image(metadata);
    CU_ASSERT_STRING_EQUAL(
        image_config(image, CONFIG_TOPIC, "kept", "retention.ms"), "1000");
    CU_ASSERT_EQUAL(image_feature(image, "metadata.version"), 30);
    CU_ASSERT(!image_broker(image, 1)->fenced);
    CU_ASSERT_EQUAL(image_broker(image, 1)->epoch,
                    metadata_broker_epoch(metadata));
    image_release(image);
    stop(metadata);
}

static void each_start_is_a_new_leader_epoch(void)
{
    const char *directory = unit_tmpdir();

    for (int32_t epoch = 1; epoch <= 3; epoch++) {
        metadata_t *metadata = start(directory);
        quorum_state_t quorum;

        CU_ASSERT_EQUAL(metadata_leader_epoch(metadata), epoch);
        UNIT_OK(directory_read_quorum(
            &quorum,
            apr_pstrcat(unit_pool(), directory, "/__cluster_metadata-0", NULL),
            unit_pool(), &error));
        CU_ASSERT_EQUAL(quorum.leader_epoch, epoch);
        CU_ASSERT_EQUAL(quorum.voter_count, 1);
        stop(metadata);
    }
}

static void partitions_get_a_new_epoch_only_after_an_unclean_stop(void)
{
    const char *directory = unit_tmpdir();
    metadata_t *metadata = start(directory);

    UNIT_OK(create(metadata, "t", 1));
    stop(metadata);
    metadata = start(directory);
    CU_ASSERT_EQUAL(leader_epoch_of(metadata, "t"), 0);
    metadata_close(metadata);
    metadata = start(directory);
    CU_ASSERT_EQUAL(leader_epoch_of(metadata, "t"), 1);
    stop(metadata);
}

static void a_name_is_given_once(void)
{
    metadata_new_topic_t topics[4] = {{.name = "a.b", .partitions = 1},
                                      {.name = "a.b", .partitions = 1},
                                      {.name = "a_b", .partitions = 1},
                                      {.name = "c", .partitions = 1}};
    metadata_t *metadata = start(unit_tmpdir());

    UNIT_OK(metadata_create_topics(metadata, topics, 4, 1, unit_pool()));
    CU_ASSERT_EQUAL(partitions(metadata, "c"), 0);
    UNIT_OK(metadata_create_topics(metadata, topics, 4, 0, unit_pool()));
    CU_ASSERT_EQUAL(topics[0].status, APR_SUCCESS);
    CU_ASSERT_EQUAL(topics[1].status, TAKHIN_ETOPIC_EXISTS);
    CU_ASSERT_EQUAL(topics[2].status, TAKHIN_ETOPIC_COLLISION);
    CU_ASSERT_STRING_EQUAL(topics[2].collision, "a.b");
    CU_ASSERT_EQUAL(topics[3].status, APR_SUCCESS);
    CU_ASSERT_EQUAL(create(metadata, "c", 1), TAKHIN_ETOPIC_EXISTS);
    CU_ASSERT_EQUAL(create(metadata, "a_b", 1), TAKHIN_ETOPIC_COLLISION);
    CU_ASSERT_EQUAL(
        metadata_create_partitions(metadata, "c", 1, 0, unit_pool()),
        TAKHIN_EPARTITIONS);
    CU_ASSERT_EQUAL(
        metadata_create_partitions(metadata, "d", 1, 0, unit_pool()),
        TAKHIN_EUNKNOWN_TOPIC);
    stop(metadata);
}

static void producer_ids_are_never_handed_out_twice(void)
{
    const char *directory = unit_tmpdir();
    int64_t next = 0;

    for (int i = 0; i < 3; i++) {
        metadata_t *metadata = start(directory);
        int64_t first;
        int32_t count;

        UNIT_OK(metadata_producer_ids(metadata, &first, &count, unit_pool()));
        CU_ASSERT_EQUAL(first, next);
        CU_ASSERT_EQUAL(count, 1000);
        next = first + count;
        if (i == 1)
            UNIT_OK(metadata_snapshot(metadata));
        metadata_close(metadata);
    }
}

/* What a listener heard, as text. */
typedef struct {
    char heard[512];
    metadata_t *metadata;
    int visible;
} ear_t;

static void hear(ear_t *ear, const char *what, const char *name)
{
    apr_size_t length = strlen(ear->heard);

    snprintf(ear->heard + length, sizeof(ear->heard) - length, "%s %s;", what,
             name);
}

static void hear_created(void *baton, const metadata_image_t *image,
                         const image_topic_t *topic)
{
    ear_t *ear = baton;

    (void)image;
    ear->visible += partitions(ear->metadata, image_topic_name(topic)) > 0;
    hear(ear, "created", image_topic_name(topic));
}

static void hear_changed(void *baton, const metadata_image_t *image,
                         const image_topic_t *before,
                         const image_topic_t *topic)
{
    (void)image;
    CU_ASSERT(image_topic_partition_count(before) <
              image_topic_partition_count(topic));
    hear(baton, "changed", image_topic_name(topic));
}

static void hear_deleted(void *baton, const metadata_image_t *image,
                         const image_topic_t *topic)
{
    ear_t *ear = baton;

    (void)image;
    ear->visible += partitions(ear->metadata, image_topic_name(topic)) > 0;
    hear(ear, "deleted", image_topic_name(topic));
}

static void hear_config(void *baton, const metadata_image_t *image, int8_t type,
                        const char *name)
{
    (void)image;
    (void)type;
    hear(baton, "config", name);
}

static void listeners_hear_of_each_change_once_and_in_time(void)
{
    metadata_t *metadata = start(unit_tmpdir());
    ear_t ear = {"", metadata, 0};
    metadata_listener_t listener = {&ear,         hear_created, hear_changed,
                                    hear_deleted, hear_config,  NULL};
    metadata_config_change_t changes[] = {{"retention.ms", "1"},
                                          {"segment.ms", "2"}};

    metadata_listen(metadata, &listener);
    UNIT_OK(create(metadata, "t", 3));
    UNIT_OK(metadata_create_partitions(metadata, "t", 9, 0, unit_pool()));
    UNIT_OK(metadata_alter_configs(metadata, CONFIG_TOPIC, "t", changes, 2,
                                   unit_pool()));
    UNIT_OK(delete (metadata, "t"));
    CU_ASSERT_STRING_EQUAL(ear.heard,
                           "created t;changed t;config t;deleted t;");
    CU_ASSERT_EQUAL(ear.visible, 0);
    stop(metadata);
}

static void what_does_not_fit_one_batch_is_a_transaction(void)
{
    const char *directory = unit_tmpdir();
    metadata_t *metadata = start(directory);

    UNIT_OK(create(metadata, "wide", 30000));
    CU_ASSERT_EQUAL(partitions(metadata, "wide"), 30000);
    metadata_close(metadata);
    metadata = start(directory);
    CU_ASSERT_EQUAL(partitions(metadata, "wide"), 30000);
    stop(metadata);
}

/* ---- snapshots ----------------------------------------------------------- */

static void append_quota_and_user(metadata_t *metadata)
{
    client_quota_record_entity_data_t entity = {wire_string_literal("user"),
                                                WIRE_STRING_NULL};
    client_quota_record_t quota;
    user_scram_credential_record_t scram;
    metadata_record_t records[] = {{RECORD_CLIENT_QUOTA, 0, &quota},
                                   {RECORD_USER_SCRAM, 0, &scram}};

    client_quota_record_init(&quota);
    quota.entity = &entity;
    quota.entity_count = 1;
    quota.key = wire_string_literal("producer_byte_rate");
    quota.value = 42;
    user_scram_credential_record_init(&scram);
    scram.name = wire_string_literal("alice");
    scram.mechanism = SCRAM_SHA_512;
    scram.iterations = 8192;
    scram.salt = scram.stored_key = scram.server_key =
        (wire_bytes_t){(const uint8_t *)"key", 3};
    UNIT_OK(metadata_append(metadata, records, 2, unit_pool()));
}

static void a_snapshot_holds_all_and_the_log_before_it_goes(void)
{
    const char *directory = unit_tmpdir();
    image_quota_entity_t entity = {"user", NULL};
    metadata_t *metadata = start(directory);
    const metadata_image_t *image;
    fs_stat_t stat;

    UNIT_OK(create(metadata, "t", 12));
    append_quota_and_user(metadata);
    UNIT_OK(metadata_snapshot(metadata));
    CU_ASSERT(APR_STATUS_IS_ENOENT(fs_stat(log_file(directory, 0), &stat)));
    UNIT_OK(create(metadata, "later", 2));
    metadata_close(metadata);

    metadata = start(directory);
    CU_ASSERT_EQUAL(partitions(metadata, "t"), 12);
    CU_ASSERT_EQUAL(partitions(metadata, "later"), 2);
    image = metadata_image(metadata);
    CU_ASSERT_PTR_NOT_NULL_FATAL(image_quota(image, &entity, 1));
    CU_ASSERT_EQUAL(image_quota(image, &entity, 1)->values[0].value, 42);
    CU_ASSERT_PTR_NOT_NULL_FATAL(image_scram(image, "alice", SCRAM_SHA_512));
    CU_ASSERT_EQUAL(image_scram(image, "alice", SCRAM_SHA_512)->iterations,
                    8192);
    CU_ASSERT_STRING_EQUAL(
        image_config(image, CONFIG_TOPIC, "t", "retention.ms"), "1000");
    image_release(image);
    stop(metadata);
}

static void snapshots_are_made_as_the_log_grows(void)
{
    const char *directory = unit_tmpdir();
    metadata_config_t config;
    metadata_t *metadata;
    fs_stat_t stat;

    metadata_config_init(&config);
    config.node_id = 1;
    config.metadata_log_dir = directory;
    config.log_dirs = &directory;
    config.log_dir_count = 1;
    config.snapshot_bytes = 20000;
    UNIT_OK(metadata_open(&metadata, &config, NULL, unit_pool(), &error));
    UNIT_OK(metadata_start(metadata, &endpoint, 1, NULL));
    for (int i = 0; i < 200; i++)
        UNIT_OK(create(metadata, apr_psprintf(unit_pool(), "t%d", i), 1));
    CU_ASSERT(APR_STATUS_IS_ENOENT(fs_stat(log_file(directory, 0), &stat)));
    metadata_close(metadata);
    metadata = start(directory);
    for (int i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(
            partitions(metadata, apr_psprintf(unit_pool(), "t%d", i)), 1);
    stop(metadata);
}

static void the_metadata_log_may_lie_apart_from_the_topics(void)
{
    const char *metadata_dir = unit_tmpdir();
    const char *log_dirs[] = {unit_tmpdir(), unit_tmpdir()};
    metadata_t *metadata = NULL;
    metadata_config_t config;
    int32_t in_dir[2] = {0, 0};
    fs_stat_t stat;

    metadata_config_init(&config);
    config.node_id = 1;
    config.metadata_log_dir = metadata_dir;
    config.log_dirs = log_dirs;
    config.log_dir_count = 2;
    for (int i = 0; i < 2; i++) {
        const metadata_image_t *image;
        const image_topic_t *topic;

        UNIT_OK(metadata_open(&metadata, &config, NULL, unit_pool(), &error));
        UNIT_OK(metadata_start(metadata, &endpoint, 1, NULL));
        if (i == 0)
            UNIT_OK(create(metadata, "t", 10));
        image = metadata_image(metadata);
        topic = image_topic(image, "t", 1);
        for (int32_t p = 0; i == 1 && p < 10; p++) {
            for (int dir = 0; dir < 2; dir++)
                in_dir[dir] += wire_uuid_equal(
                    image_topic_partition(topic, p)->directories,
                    metadata_directory_id(metadata, dir));
        }
        CU_ASSERT_EQUAL(image_broker(image, 1)->log_dir_count, 2);
        image_release(image);
        stop(metadata);
    }
    CU_ASSERT_EQUAL(in_dir[0], 5);
    CU_ASSERT_EQUAL(in_dir[1], 5);
    UNIT_OK(fs_stat(log_file(metadata_dir, 0), &stat));
    CU_ASSERT(APR_STATUS_IS_ENOENT(fs_stat(log_file(log_dirs[0], 0), &stat)));
}

/* ---- what is not understood ---------------------------------------------- */

static apr_status_t to_file(void *baton, uint8_t *data, apr_size_t length)
{
    fs_file_t *file = baton;
    apr_off_t size;
    apr_status_t status = fs_size(file, &size);

    return status ? status : fs_write_at(file, size, data, length);
}

/* A writer that goes on at the end of DIRECTORY's log. */
static void append_by_hand(record_writer_t *writer, const char *directory,
                           fs_file_t **file)
{
    replay_t replay;

    UNIT_OK(replay_init(&replay, unit_pool()));
    UNIT_OK(
        replay_directory(&replay, apr_pstrcat(unit_pool(), directory,
                                              "/__cluster_metadata-0", NULL)));
    UNIT_OK(fs_open(file, log_file(directory, 0), FS_WRITABLE));
    UNIT_OK(record_writer_init(writer, replay.end_offset, replay.epoch, to_file,
                               *file, unit_pool()));
    replay_free(&replay);
}

static void finish_by_hand(record_writer_t *writer, fs_file_t *file)
{
    UNIT_OK(record_writer_flush(writer));
    record_writer_free(writer);
    UNIT_OK(fs_close(file));
}

static void put_topic(record_writer_t *writer, const char *name)
{
    topic_record_t topic;

    topic_record_init(&topic);
    topic.name = wire_string_from(name);
    UNIT_OK(wire_uuid_random(&topic.topic_id));
    UNIT_OK(record_writer_put(writer, RECORD_TOPIC, 0, &topic));
}

static void an_unfinished_transaction_is_of_no_effect(void)
{
    const char *directory = unit_tmpdir();
    metadata_t *metadata = start(directory);
    begin_transaction_record_t begin;
    record_writer_t writer;
    fs_file_t *file;

    UNIT_OK(create(metadata, "kept", 1));
    stop(metadata);
    append_by_hand(&writer, directory, &file);
    begin_transaction_record_init(&begin);
    UNIT_OK(record_writer_put(&writer, RECORD_BEGIN_TRANSACTION, 0, &begin));
    put_topic(&writer, "half");
    finish_by_hand(&writer, file);
    for (int i = 0; i < 2; i++) {
        metadata = start(directory);
        CU_ASSERT_EQUAL(partitions(metadata, "kept"), 1);
        CU_ASSERT_EQUAL(partitions(metadata, "half"), 0);
        stop(metadata);
    }
    metadata = start(directory);
    UNIT_OK(create(metadata, "half", 1));
    stop(metadata);
}

/* The size of the log's first segment. */
static apr_off_t log_size_of(const char *directory)
{
    fs_stat_t stat;

    UNIT_OK(fs_stat(log_file(directory, 0), &stat));
    return stat.size;
}

static void an_unknown_record_stops_the_start_and_nothing_is_written(void)
{
    static const uint8_t frames[][4] = {
        {1, 99, 0, 0}, {1, 2, 9, 0}, {2, 2, 0, 0}};
    static const char *const says[] = {
        "record type 99", "TopicRecord version 9", "frame version 2"};

    for (int i = 0; i < 3; i++) {
        const char *directory = unit_tmpdir();
        metadata_t *metadata = start(directory);
        record_writer_t writer;
        fs_file_t *file;
        apr_off_t size;
        int64_t offset;

        stop(metadata);
        append_by_hand(&writer, directory, &file);
        offset = writer.next_offset;
        UNIT_OK(record_writer_put_frame(&writer, frames[i], 4));
        finish_by_hand(&writer, file);
        size = log_size_of(directory);
        CU_ASSERT_EQUAL(open_as(&metadata, directory, 1, NULL),
                        TAKHIN_EUNSUPPORTED);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, says[i]));
        CU_ASSERT_PTR_NOT_NULL(
            strstr(error, apr_psprintf(unit_pool(), "offset %" APR_INT64_T_FMT,
                                       offset)));
        CU_ASSERT_EQUAL(log_size_of(directory), size);
    }
}

static void another_voter_stops_the_start(void)
{
    const char *directory = unit_tmpdir();
    const char *log =
        apr_pstrcat(unit_pool(), directory, "/__cluster_metadata-0", NULL);
    int32_t voters[] = {1, 2};
    quorum_state_t quorum = {0, 1, 1, -1, 2, voters};
    metadata_t *metadata = start(directory);

    stop(metadata);
    UNIT_OK(directory_write_quorum(&quorum, log, unit_pool()));
    CU_ASSERT_EQUAL(open_as(&metadata, directory, 1, NULL),
                    TAKHIN_EUNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "another voter, node 2"));
}

static void a_voter_set_of_kraft_version_1_is_checked(void)
{
    const char *directory = unit_tmpdir();
    metadata_t *metadata = start(directory);
    voters_record_voter_t voter;
    voters_record_t voters;
    record_writer_t writer;
    fs_file_t *file;

    stop(metadata);
    voters_record_voter_init(&voter);
    voter.voter_id = 3;
    voters_record_init(&voters);
    voters.voters = &voter;
    voters.voters_count = 1;
    append_by_hand(&writer, directory, &file);
    UNIT_OK(record_writer_control(&writer, RECORD_CONTROL_KRAFT_VOTERS,
                                  &voters_record_message, &voters, 0));
    finish_by_hand(&writer, file);
    CU_ASSERT_EQUAL(open_as(&metadata, directory, 1, NULL),
                    TAKHIN_EUNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "another voter, node 3"));
}

/* ---- failures ------------------------------------------------------------ */

static void a_torn_tail_is_cut(void)
{
    const char *directory = unit_tmpdir();
    metadata_t *metadata = start(directory);
    record_writer_t writer;
    fs_file_t *file;
    apr_off_t size;

    UNIT_OK(create(metadata, "kept", 1));
    metadata_close(metadata);
    append_by_hand(&writer, directory, &file);
    put_topic(&writer, "torn");
    finish_by_hand(&writer, file);
    size = log_size_of(directory);
    UNIT_OK(fs_open(&file, log_file(directory, 0), FS_WRITABLE));
    UNIT_OK(fs_truncate(file, size - 3));
    UNIT_OK(fs_close(file));
    for (int i = 0; i < 2; i++) {
        metadata = start(directory);
        CU_ASSERT_EQUAL(partitions(metadata, "kept"), 1);
        CU_ASSERT_EQUAL(partitions(metadata, "torn"), 0);
        stop(metadata);
    }
}

/* Fails the Nth change of the file system, and all after it. */
static int calls_left;

static apr_status_t fail_then(void *baton, fs_call_t *call)
{
    (void)baton;
    switch (call->op) {
    case FS_WRITE:
    case FS_SYNC:
    case FS_SYNC_DIR:
    case FS_RENAME:
    case FS_TRUNCATE:
    case FS_MKDIR:
    case FS_REMOVE:
        return --calls_left < 0 ? APR_ENOSPC : APR_SUCCESS;
    default:
        return APR_SUCCESS;
    }
}

static const fs_hooks_t failing = {NULL, fail_then, NULL};

/* Format, start, work, stop, until something fails. Returns how many topics
 * were acknowledged, -1 when all went well. */
static int life(const char *directory)
{
    static const char *const names[] = {"t0", "t1", "t2", "t3"};
    metadata_t *metadata;
    apr_status_t status = open_as(&metadata, directory, 1, NULL);
    int created = 0;

    if (status)
        return 0;
    status = metadata_start(metadata, &endpoint, 1, NULL);
    if (!status)
        status = metadata_unfence(metadata);
    for (int i = 0; !status && i < 4; i++) {
        status = create(metadata, names[i], 2);
        created += !status;
        if (i == 1)
            metadata_snapshot(metadata); /* may fail: nothing is lost by it */
    }
    if (!status)
        status = metadata_stop(metadata);
    metadata_close(metadata);
    return status ? created : -1;
}

static void a_full_disk_at_any_point_loses_nothing_acknowledged(void)
{
    int created = 0;

    for (int n = 0; created >= 0 && n < 200; n++) {
        const char *directory = unit_tmpdir();
        metadata_t *metadata;

        calls_left = n;
        fs_hooks = &failing;
        created = life(directory);
        fs_hooks = NULL;
        if (created < 0)
            break;
        metadata = start(directory);
        for (int i = 0; i < created; i++)
            CU_ASSERT_EQUAL(
                partitions(metadata, apr_psprintf(unit_pool(), "t%d", i)), 2);
        UNIT_OK(create(metadata, "after", 1));
        stop(metadata);
    }
    CU_ASSERT_EQUAL(created, -1);
}

static apr_status_t fail_sync(void *baton, fs_call_t *call)
{
    (void)baton;
    return call->op == FS_SYNC ? APR_EGENERAL : APR_SUCCESS;
}

static void a_failed_flush_is_not_tried_again(void)
{
    static const fs_hooks_t hooks = {NULL, fail_sync, NULL};
    metadata_t *metadata = start(unit_tmpdir());

    fs_hooks = &hooks;
    CU_ASSERT_NOT_EQUAL(create(metadata, "t", 1), APR_SUCCESS);
    fs_hooks = NULL;
    CU_ASSERT_EQUAL(partitions(metadata, "t"), 0);
    CU_ASSERT_EQUAL(create(metadata, "t", 1), TAKHIN_EOFFLINE);
    metadata_close(metadata);
}

/* Three bytes of a write come through, and then none. */
static apr_status_t fail_write(void *baton, fs_call_t *call)
{
    int *written = baton;

    if (call->op != FS_WRITE)
        return APR_SUCCESS;
    if (*written)
        return APR_ENOSPC;
    *written = 1;
    call->length = 3;
    return APR_SUCCESS;
}

static void changes_go_on_when_a_full_disk_has_room_again(void)
{
    static int written;
    static const fs_hooks_t hooks = {&written, fail_write, NULL};
    const char *directory = unit_tmpdir();
    metadata_t *metadata = start(directory);

    fs_hooks = &hooks;
    CU_ASSERT(APR_STATUS_IS_ENOSPC(create(metadata, "full", 1)));
    fs_hooks = NULL;
    UNIT_OK(create(metadata, "t", 1));
    metadata_close(metadata);
    metadata = start(directory);
    CU_ASSERT_EQUAL(partitions(metadata, "full"), 0);
    CU_ASSERT_EQUAL(partitions(metadata, "t"), 1);
    stop(metadata);
}

/* ---- threads ------------------------------------------------------------- */

static apr_uint32_t finished;

static void *APR_THREAD_FUNC read_images(apr_thread_t *thread, void *data)
{
    metadata_t *metadata = data;
    int64_t last = -1;

    (void)thread;
    while (!apr_atomic_read32(&finished)) {
        const metadata_image_t *image = metadata_image(metadata);
        const image_topic_t *topic = image_topic(image, "t", 1);

        CU_ASSERT(image_offset(image) >= last);
        last = image_offset(image);
        for (int32_t i = 0; topic && i < image_topic_partition_count(topic);
             i++)
            CU_ASSERT_PTR_NOT_NULL(image_topic_partition(topic, i));
        image_release(image);
    }
    return NULL;
}

static void readers_see_whole_images_while_others_change_them(void)
{
    metadata_t *metadata = start(unit_tmpdir());
    apr_thread_t *threads[3];
    apr_status_t status;

    apr_atomic_set32(&finished, 0);
    for (int i = 0; i < 3; i++)
        UNIT_OK(apr_thread_create(&threads[i], NULL, read_images, metadata,
                                  unit_pool()));
    for (int i = 0; i < 100; i++) {
        UNIT_OK(create(metadata, "t", 3));
        UNIT_OK(metadata_create_partitions(metadata, "t", 20, 0, unit_pool()));
        UNIT_OK(delete (metadata, "t"));
    }
    apr_atomic_set32(&finished, 1);
    for (int i = 0; i < 3; i++)
        apr_thread_join(&status, threads[i]);
    stop(metadata);
}

UNIT_MAIN(UNIT_TEST(a_new_directory_is_formatted_for_node_and_cluster),
          UNIT_TEST(another_nodes_or_clusters_directory_is_refused),
          UNIT_TEST(a_directory_of_something_else_is_left_alone),
          UNIT_TEST(topics_are_there_again_after_a_restart),
          UNIT_TEST(each_start_is_a_new_leader_epoch),
          UNIT_TEST(partitions_get_a_new_epoch_only_after_an_unclean_stop),
          UNIT_TEST(a_name_is_given_once),
          UNIT_TEST(producer_ids_are_never_handed_out_twice),
          UNIT_TEST(listeners_hear_of_each_change_once_and_in_time),
          UNIT_TEST(what_does_not_fit_one_batch_is_a_transaction),
          UNIT_TEST(a_snapshot_holds_all_and_the_log_before_it_goes),
          UNIT_TEST(snapshots_are_made_as_the_log_grows),
          UNIT_TEST(the_metadata_log_may_lie_apart_from_the_topics),
          UNIT_TEST(an_unfinished_transaction_is_of_no_effect),
          UNIT_TEST(an_unknown_record_stops_the_start_and_nothing_is_written),
          UNIT_TEST(another_voter_stops_the_start),
          UNIT_TEST(a_voter_set_of_kraft_version_1_is_checked),
          UNIT_TEST(a_torn_tail_is_cut),
          UNIT_TEST(a_full_disk_at_any_point_loses_nothing_acknowledged),
          UNIT_TEST(a_failed_flush_is_not_tried_again),
          UNIT_TEST(changes_go_on_when_a_full_disk_has_room_again),
          UNIT_TEST(readers_see_whole_images_while_others_change_them))
