/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole directories: a partition's log, and an entry of log.dirs with all that
 * must agree in it: topics' ids with the metadata log, checkpoints with the
 * logs they speak of.
 */
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "dump/dump.h"
#include "metadata/replay.h"

#define OFFSET_DIGITS 20

/* ---- names -------------------------------------------------------------- */

typedef struct {
    apr_array_header_t *names; /* const char * */
    apr_filetype_e type;
    apr_pool_t *pool;
} listing_t;

static apr_status_t take_name(void *baton, const char *name,
                              apr_filetype_e type)
{
    listing_t *listing = baton;

    if (type == listing->type)
        APR_ARRAY_PUSH(listing->names, const char *) =
            apr_pstrdup(listing->pool, name);
    return APR_SUCCESS;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of TYPE in PATH, sorted: offsets ascend then. */
static apr_array_header_t *list(dump_t *dump, const char *path,
                                apr_filetype_e type)
{
    listing_t listing = {apr_array_make(dump->pool, 16, sizeof(char *)), type,
                         dump->pool};
    apr_status_t status = fs_list(path, take_name, &listing);
    char why[128];

    if (status)
        dump_problem(dump, path, -1, "%s",
                     takhin_strerror(status, why, sizeof(why)));
    qsort(listing.names->elts, (size_t)listing.names->nelts, sizeof(char *),
          compare_names);
    return listing.names;
}

static int ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), end = strlen(suffix);

    return length >= end && strcmp(name + length - end, suffix) == 0;
}

/* Whether NAME is an offset of 20 digits and SUFFIX. */
static int is_of(const char *name, const char *suffix, int64_t *offset)
{
    for (int i = 0; i < OFFSET_DIGITS; i++)
        if (!isdigit((unsigned char)name[i]))
            return 0;
    if (strcmp(name + OFFSET_DIGITS, suffix) != 0)
        return 0;
    *offset = apr_atoi64(name);
    return 1;
}

static const char *in(const dump_t *dump, const char *directory,
                      const char *name)
{
    return apr_pstrcat(dump->pool, directory, "/", name, NULL);
}

static int exists(const char *path)
{
    fs_stat_t stat;

    return !fs_stat(path, &stat);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static const char *directory_name(const dump_t *dump, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? apr_pstrndup(dump->pool, path, (apr_size_t)(slash - path))
                 : ".";
}

static int stopped_in_order(const dump_t *dump, const char *log_directory)
{
    return exists(
        in(dump, directory_name(dump, log_directory), ".kafka_cleanshutdown"));
}

/* ---- one log ------------------------------------------------------------ */

/* The base offset of the first segment in NAMES from I on; INT64_MAX: none. */
static int64_t next_segment(const apr_array_header_t *names, int i)
{
    int64_t offset;

    for (; i < names->nelts; i++)
        if (is_of(APR_ARRAY_IDX(names, i, const char *), ".log", &offset))
            return offset;
    return INT64_MAX;
}

static void dump_segments(dump_t *dump, const char *path,
                          const apr_array_header_t *names,
                          int64_t recovery_point, int64_t *start, int64_t *end)
{
    const int clean = stopped_in_order(dump, path);
    segment_view_t view = {.recovery_point = recovery_point, .indexes = 1};

    *start = *end = -1;
    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (!is_of(name, ".log", &view.base_offset))
            continue;
        if (*end >= 0 && view.base_offset < *end)
            dump_problem(dump, in(dump, path, name), -1,
                         "begins ahead of offset %" APR_INT64_T_FMT
                         ", where the segment before it ends",
                         *end);
        if (*start < 0)
            *start = view.base_offset;
        view.tail = !clean && next_segment(names, i + 1) > recovery_point;
        dump_segment(dump, in(dump, path, name), &view);
        *end = view.next_offset;
    }
}

/* What stands beside the segments. */
static void dump_beside(dump_t *dump, const char *path, const char *name,
                        const wire_uuid_t *topic_id, int64_t log_end)
{
    const char *file = in(dump, path, name);
    int64_t offset;

    if (is_of(name, ".snapshot", &offset)) {
        dump_producers(dump, file);
        if (log_end >= 0 && offset > log_end && stopped_in_order(dump, path))
            dump_problem(dump, file, -1,
                         "is behind the log's end %" APR_INT64_T_FMT, log_end);
    } else if (strcmp(name, "leader-epoch-checkpoint") == 0) {
        dump_epochs(dump, file, stopped_in_order(dump, path) ? log_end : -1);
    } else if (strcmp(name, "partition.metadata") == 0) {
        dump_partition_metadata(dump, file, topic_id);
    } else if (strcmp(name, "quorum-state") == 0) {
        dump_quorum_state(dump, path);
    } else if (ends_with(name, ".checkpoint")) {
        dump_file(dump, file);
    } else if (ends_with(name, ".deleted") || ends_with(name, ".cleaned") ||
               ends_with(name, ".swap") || ends_with(name, ".tmp")) {
        dump_note(dump, file, -1, "is left over, a start sees to it");
    }
}

/* An index whose segment is gone. */
static void check_orphan(dump_t *dump, const char *path, const char *name)
{
    int64_t offset;

    if (!is_of(name, ".index", &offset) &&
        !is_of(name, ".timeindex", &offset) &&
        !is_of(name, ".txnindex", &offset))
        return;
    if (!exists(in(dump, path,
                   apr_psprintf(dump->pool, "%.*s.log", OFFSET_DIGITS, name))))
        dump_note(dump, in(dump, path, name), -1, "has no segment");
}

void dump_log_directory(dump_t *dump, const char *path,
                        const wire_uuid_t *topic_id, int64_t recovery_point,
                        int64_t *start, int64_t *end)
{
    apr_array_header_t *names = list(dump, path, APR_REG);

    dump_segments(dump, path, names, recovery_point, start, end);
    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        dump_beside(dump, path, name, topic_id, *end);
        check_orphan(dump, path, name);
    }
}

/* ---- an entry of log.dirs ----------------------------------------------- */

typedef struct {
    int64_t start, end;
} extent_t;

typedef struct {
    dump_t *dump;
    const char *path;
    apr_hash_t *logs;            /* name -> extent_t */
    apr_hash_t *recovery_points; /* name -> int64_t */
    replay_t replay;
    unsigned has_image : 1;
    unsigned clean : 1;
} data_t;

static void take_recovery_point(void *baton, const char *path, int line,
                                const char *log, int64_t offset)
{
    data_t *data = baton;

    (void)path, (void)line;
    apr_hash_set(data->recovery_points, log, APR_HASH_KEY_STRING,
                 apr_pmemdup(data->dump->pool, &offset, sizeof(offset)));
}

/* A checkpoint's offset must lie in its log. */
static void check_offset(void *baton, const char *path, int line,
                         const char *log, int64_t offset)
{
    data_t *data = baton;
    const extent_t *extent = apr_hash_get(data->logs, log, APR_HASH_KEY_STRING);

    if (!extent)
        dump_note(data->dump, path, line, "there is no log %s", log);
    else if (offset <= extent->end)
        return;
    else if (data->clean)
        dump_problem(data->dump, path, line,
                     "%" APR_INT64_T_FMT
                     " is behind the end of %s, %" APR_INT64_T_FMT,
                     offset, log, extent->end);
    else
        dump_note(data->dump, path, line,
                  "%" APR_INT64_T_FMT
                  " is behind the end of %s, %" APR_INT64_T_FMT,
                  offset, log, extent->end);
}

static void replay_metadata(data_t *data)
{
    const char *path = in(data->dump, data->path, "__cluster_metadata-0");
    char why[128];
    apr_status_t status;

    if (!exists(path))
        return;
    status = replay_init(&data->replay, data->dump->pool);
    if (!status)
        status = replay_directory(&data->replay, path);
    if (status)
        dump_problem(data->dump, path, -1, "%s",
                     data->replay.error
                         ? data->replay.error
                         : takhin_strerror(status, why, sizeof(why)));
    data->has_image = !status;
}

/* The id that the metadata log has for the topic of LOG, or NULL. */
static const wire_uuid_t *topic_id(data_t *data, const char *log)
{
    const char *dash = strrchr(log, '-');
    const image_topic_t *topic;

    if (!data->has_image || !dash || strncmp(log, "__cluster_", 10) == 0)
        return NULL;
    topic = image_topic(data->replay.image, log, (apr_size_t)(dash - log));
    if (topic)
        return image_topic_id(topic);
    dump_note(data->dump, in(data->dump, data->path, log), -1,
              "the metadata log has no such topic");
    return NULL;
}

static int is_log(const char *name)
{
    const char *dash = strrchr(name, '-');

    return dash && dash != name && dash[1] != '\0' &&
           strspn(dash + 1, "0123456789") == strlen(dash + 1);
}

static void dump_logs(data_t *data)
{
    dump_t *dump = data->dump;
    apr_array_header_t *names = list(dump, data->path, APR_DIR);

    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        extent_t *extent = apr_pcalloc(dump->pool, sizeof(*extent));
        const int64_t *point =
            apr_hash_get(data->recovery_points, name, APR_HASH_KEY_STRING);

        if (!is_log(name)) {
            dump_note(dump, in(dump, data->path, name), -1,
                      "is no log, or one that is being deleted or moved");
            continue;
        }
        dump_log_directory(dump, in(dump, data->path, name),
                           topic_id(data, name), point ? *point : 0,
                           &extent->start, &extent->end);
        apr_hash_set(data->logs, name, APR_HASH_KEY_STRING, extent);
    }
}

static const char *const checkpoints[] = {
    "recovery-point-offset-checkpoint", "log-start-offset-checkpoint",
    "replication-offset-checkpoint", "cleaner-offset-checkpoint"};

static void dump_data_directory(dump_t *dump, const char *path)
{
    data_t data = {.dump = dump, .path = path};
    const char *file = in(dump, path, checkpoints[0]);
    dump_t silent = *dump;

    data.logs = apr_hash_make(dump->pool);
    data.recovery_points = apr_hash_make(dump->pool);
    data.clean = exists(in(dump, path, ".kafka_cleanshutdown")) != 0;
    dump_meta_properties(dump, path);
    if (data.clean)
        dump_plain_text(dump, in(dump, path, ".kafka_cleanshutdown"));
    if (exists(in(dump, path, "bootstrap.checkpoint")))
        dump_file(dump, in(dump, path, "bootstrap.checkpoint"));
    if (exists(file)) {
        /* first for the points alone; it comes again with the others */
        silent.verify = 1;
        silent.out = NULL;
        dump_checkpoint(&silent, file, take_recovery_point, &data);
    }
    replay_metadata(&data);
    dump_logs(&data);
    for (size_t i = 0; i < sizeof(checkpoints) / sizeof(*checkpoints); i++)
        if (exists(in(dump, path, checkpoints[i])))
            dump_checkpoint(dump, in(dump, path, checkpoints[i]), check_offset,
                            &data);
    if (data.has_image)
        replay_free(&data.replay);
}

void dump_directory(dump_t *dump, const char *path)
{
    int64_t start, end;

    if (exists(in(dump, path, "meta.properties")))
        dump_data_directory(dump, path);
    else
        dump_log_directory(dump, path, NULL, 0, &start, &end);
}

/* ---- one file ----------------------------------------------------------- */

/* NAME without what marks a file as being deleted or made. */
static const char *plain_name(const dump_t *dump, const char *name)
{
    static const char *const marks[] = {".deleted", ".cleaned", ".swap"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
        if (ends_with(name, marks[i]))
            return apr_pstrndup(dump->pool, name,
                                strlen(name) - strlen(marks[i]));
    return name;
}

/* An index: with its segment, where that is there. */
static void dump_index(dump_t *dump, const char *path, int64_t base_offset)
{
    index_check_t *check = index_check_open(dump, path, base_offset, 0);
    const char *log = apr_psprintf(dump->pool, "%.*s.log",
                                   (int)(strrchr(path, '.') - path), path);
    batch_reader_t *reader;
    record_batch_t batch;
    const uint8_t *data;
    int64_t position;
    const char *why;

    if (check && !batch_reader_open(&reader, log)) {
        while (!batch_reader_next(reader, &batch, &data, &position, &why))
            index_check_batch(check, &batch, data, position);
        batch_reader_close(reader);
        index_check_close(check);
    } else if (check) {
        dump_note(dump, path, -1, "there is no segment to compare it with");
    }
}

void dump_file(dump_t *dump, const char *path)
{
    const char *name = plain_name(dump, base_name(path));
    segment_view_t view = {0};

    if (is_of(name, ".log", &view.base_offset) ||
        ends_with(name, ".checkpoint")) {
        const int kind = dump->kind;

        if (ends_with(name, ".checkpoint"))
            dump->kind = DUMP_METADATA;
        dump_segment(dump, path, &view);
        dump->kind = kind;
    } else if (is_of(name, ".index", &view.base_offset) ||
               is_of(name, ".timeindex", &view.base_offset) ||
               is_of(name, ".txnindex", &view.base_offset)) {
        dump_index(dump, path, view.base_offset);
    } else if (is_of(name, ".snapshot", &view.base_offset)) {
        dump_producers(dump, path);
    } else if (ends_with(name, "-offset-checkpoint")) {
        dump_checkpoint(dump, path, NULL, NULL);
    } else if (strcmp(name, "leader-epoch-checkpoint") == 0) {
        dump_epochs(dump, path, -1);
    } else if (strcmp(name, "partition.metadata") == 0) {
        dump_partition_metadata(dump, path, NULL);
    } else if (strcmp(name, "meta.properties") == 0) {
        dump_meta_properties(dump, directory_name(dump, path));
    } else if (strcmp(name, "quorum-state") == 0) {
        dump_quorum_state(dump, directory_name(dump, path));
    } else if (strcmp(name, ".kafka_cleanshutdown") == 0) {
        dump_plain_text(dump, path);
    } else {
        dump_problem(dump, path, -1, "is no file of a data directory");
    }
}
