/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log directory whose files were changed at will: segments, indexes, producer
 * snapshots, checkpoints, epochs; after an orderly stop, and after a crash. The
 * log opens, or a line says what is wrong. What lies behind the recovery point
 * is then whole, what is appended can be read, now and after the next start.
 *
 * The first byte of an input chooses the directory, then six bytes each are a
 * change: of which file, what, where (two), and with what (two).
 */
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/logger.h"
#include "record/builder.h"
#include "storage/checkpoint.h"
#include "storage/log.h"
#include "storage/log_dir.h"

#define NAME      "topic-0"
#define MAX_FILES 64
#define CHANGE    6 /* bytes */

typedef struct {
    char *path; /* whole */
    uint8_t *data;
    apr_size_t size;
} file_t;

typedef struct {
    file_t files[MAX_FILES];
    int count;
} image_t;

static apr_pool_t *global, *pool;
static char *directory;
static image_t images[2]; /* of a crash; of an orderly stop */
static const uint8_t topic_id[UUID_SIZE] = {1, 2, 3};
static unsigned complaints; /* lines that name the directory */
static int talk;            /* RECOVERY_FUZZ_LOG: for who looks for a fault */

/* ---- the log's own work ------------------------------------------------- */

static void on_line(void *baton, const char *line, apr_size_t length)
{
    (void)baton;
    if (talk)
        fwrite(line, 1, length, stderr);
    if (strstr(line, directory) || strstr(line, NAME))
        complaints++;
}

static void configure(log_config_t *config)
{
    log_config_init(config);
    config->segment_bytes = 1500;
    config->index_interval_bytes = 200;
    config->retention_ms = -1;
}

static apr_status_t open_log(log_dir_t **dir, log_t **log)
{
    log_dir_options_t options;
    log_config_t config;
    const char *error = NULL;
    apr_status_t status;

    log_dir_options_init(&options);
    configure(&config);
    status = log_dir_open(dir, directory, &options, pool, &error);
    if (status) {
        TAKHIN_ASSERT(error && strstr(error, directory));
        return status;
    }
    complaints = 0;
    status = log_open(log, *dir, NAME, topic_id, &config, 0);
    if (status) {
        TAKHIN_ASSERT(complaints > 0);
        log_dir_close(*dir, -2); /* what it says does not matter any more */
    }
    return status;
}

typedef struct {
    int64_t producer_id;
    int32_t sequence;
    int records;
    int size;
    unsigned transactional : 1;
} spec_t;

/* A batch as log_append gets it, in the run's pool. */
static uint8_t *make_batch(const spec_t *spec, size_t *length)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    uint8_t *built, *copy, value[256];
    record_t record = {.key_length = -1, .value = value};

    options.producer_id = spec->producer_id;
    options.producer_epoch = spec->producer_id < 0 ? -1 : 0;
    options.base_sequence = spec->sequence;
    options.transactional = spec->transactional;
    TAKHIN_ASSERT(!record_builder_begin(&builder, &options));
    for (int i = 0; i < spec->records; i++) {
        memset(value, 'a' + i % 26, sizeof(value));
        record.timestamp = 1000 + i;
        record.value_length = spec->size;
        TAKHIN_ASSERT(!record_builder_append(&builder, &record));
    }
    TAKHIN_ASSERT(!record_builder_finish(&builder, &built, length));
    copy = apr_pmemdup(pool, built, *length);
    record_builder_free(&builder);
    return copy;
}

static uint8_t *make_marker(int64_t producer_id, int commit, size_t *length)
{
    record_builder_options_t options = RECORD_BUILDER_OPTIONS;
    record_builder_t builder = {0};
    uint8_t *built, *copy;

    options.producer_id = producer_id;
    options.producer_epoch = 0;
    options.transactional = 1;
    options.control = 1;
    TAKHIN_ASSERT(!record_builder_begin(&builder, &options));
    TAKHIN_ASSERT(!record_builder_append_end_marker(&builder, commit, 0, 5000));
    TAKHIN_ASSERT(!record_builder_finish(&builder, &built, length));
    copy = apr_pmemdup(pool, built, *length);
    record_builder_free(&builder);
    return copy;
}

static void append(log_t *log, uint8_t *data, size_t length, int32_t epoch,
                   append_origin_t origin, append_result_t *result)
{
    record_batch_t batch;

    TAKHIN_ASSERT(!record_batch_parse(&batch, data, length));
    TAKHIN_ASSERT(
        !log_append(log, data, length, &batch, epoch, origin, result));
    log_raise_high_watermark(log, result->last_offset + 1);
}

static void append_some(log_t *log, int from, int to)
{
    append_result_t result;
    size_t length;

    for (int i = from; i < to; i++) {
        spec_t spec = {-1, -1, 1 + i % 4, 20 + i * 7 % 90, 0};
        uint8_t *data;

        if (i % 3) {
            spec.producer_id = 100 + i % 3;
            spec.sequence = 0;
            spec.records = 2;
            spec.transactional = 1;
        }
        data = make_batch(&spec, &length);
        append(log, data, length, i / 8, APPEND_COORDINATOR, &result);
        if (spec.transactional) {
            data = make_marker(spec.producer_id, i % 2, &length);
            append(log, data, length, i / 8, APPEND_COORDINATOR, &result);
        }
    }
}

/* ---- the directories, as they were -------------------------------------- */

static image_t *taking;
static const char *taking_from;

static apr_status_t take_file(void *baton, const char *name,
                              apr_filetype_e type)
{
    file_t *file = &taking->files[taking->count];
    char *data;

    (void)baton;
    if (type != APR_REG || strcmp(name, ".lock") == 0)
        return APR_SUCCESS;
    TAKHIN_ASSERT(taking->count < MAX_FILES);
    file->path = apr_pstrcat(global, taking_from, "/", name, NULL);
    TAKHIN_ASSERT(
        !fs_read_whole(file->path, 1 << 20, &data, &file->size, global));
    file->data = (uint8_t *)data;
    taking->count++;
    return APR_SUCCESS;
}

static void take_image(image_t *image)
{
    taking = image;
    taking_from = directory;
    TAKHIN_ASSERT(!fs_list(directory, take_file, NULL));
    taking_from = apr_pstrcat(global, directory, "/" NAME, NULL);
    TAKHIN_ASSERT(!fs_list(taking_from, take_file, NULL));
}

static void remove_directory(void)
{
    /* is not there the first time */
    (void)fs_remove_tree(directory);
}

static void make_images(void)
{
    log_dir_t *dir;
    log_t *log;

    for (int clean = 0; clean < 2; clean++) {
        apr_pool_create(&pool, global);
        remove_directory();
        TAKHIN_ASSERT(!open_log(&dir, &log));
        append_some(log, 0, 24);
        TAKHIN_ASSERT(!log_flush(log));
        TAKHIN_ASSERT(!log_dir_checkpoint(dir));
        append_some(log, 24, 36);
        if (clean)
            TAKHIN_ASSERT(!log_close(log));
        else
            log_abandon(log);
        TAKHIN_ASSERT(!log_dir_close(dir, clean ? 3 : -2));
        take_image(&images[clean]);
        apr_pool_destroy(pool);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    (void)argc, (void)argv;
    talk = getenv("RECOVERY_FUZZ_LOG") != NULL;
    apr_initialize();
    apr_pool_create(&global, NULL);
    directory =
        apr_psprintf(global, "%s/takhin-recovery-fuzz-%d", tmp, (int)getpid());
    logger_set_sink(on_line, NULL);
    atexit(remove_directory);
    make_images();
    return 0;
}

/* ---- changes ------------------------------------------------------------ */

typedef struct {
    uint8_t *data;
    apr_size_t size;
    const char *suffix; /* instead of the file, or beside it */
    unsigned gone : 1;
    unsigned both : 1;
} changed_t;

static void resize(changed_t *file, apr_size_t size)
{
    uint8_t *data = apr_pcalloc(pool, size + 1);

    memcpy(data, file->data, size < file->size ? size : file->size);
    file->data = data;
    file->size = size;
}

static void change(changed_t *file, const uint8_t *how)
{
    static const char *const suffixes[] = {".deleted", ".cleaned", ".swap",
                                           ".tmp"};
    apr_size_t at = ((apr_size_t)how[2] << 8 | how[3]) % (file->size + 1);
    apr_size_t left = file->size - at;
    apr_size_t more = how[5] < left ? how[5] : left;

    switch (how[1] % 8) {
    case 0:
        if (left > 0)
            file->data[at] = how[4];
        break;
    case 1:
        if (left > 0)
            file->data[at] ^= (uint8_t)(1u << how[4] % 8);
        break;
    case 2:
        resize(file, at);
        break;
    case 3:
        resize(file, file->size + how[5]);
        memset(file->data + file->size - how[5], how[4], how[5]);
        break;
    case 4:
        file->gone = 1;
        break;
    case 5: /* some of it again, elsewhere */
        memmove(file->data + at, file->data + how[4] % (file->size - more + 1),
                more);
        break;
    case 6:
        memset(file->data + at, 0, more);
        break;
    default:
        file->suffix = suffixes[how[4] % 4];
        file->both = how[5] & 1;
        break;
    }
}

static void write_file(const char *path, const changed_t *file)
{
    fs_file_t *out;

    TAKHIN_ASSERT(!fs_open(&out, path, FS_WRITABLE | FS_CREATE | FS_TRUNCATED));
    TAKHIN_ASSERT(!fs_write_at(out, 0, file->data, file->size));
    TAKHIN_ASSERT(!fs_close(out));
}

static void write_directory(const image_t *image, const uint8_t *data,
                            size_t size)
{
    changed_t files[MAX_FILES] = {{0}};

    for (int i = 0; i < image->count; i++) {
        files[i].size = image->files[i].size;
        files[i].data =
            apr_pmemdup(pool, image->files[i].data, files[i].size + 1);
    }
    for (; size >= CHANGE; data += CHANGE, size -= CHANGE) {
        if (talk)
            fprintf(stderr, "change %d of %s at %d with %d %d\n", data[1] % 8,
                    image->files[data[0] % image->count].path,
                    data[2] << 8 | data[3], data[4], data[5]);
        change(&files[data[0] % image->count], data);
    }
    remove_directory();
    TAKHIN_ASSERT(!fs_mkdir(apr_pstrcat(pool, directory, "/" NAME, NULL)));
    for (int i = 0; i < image->count; i++) {
        const char *path = image->files[i].path;

        if (!files[i].gone && (!files[i].suffix || files[i].both))
            write_file(path, &files[i]);
        if (!files[i].gone && files[i].suffix)
            write_file(apr_pstrcat(pool, path, files[i].suffix, NULL),
                       &files[i]);
    }
}

/* ---- what must hold ----------------------------------------------------- */

/* Reads from OFFSET to the end. STRICT: what is read must be right. It may be
 * out of reach, where a header ahead of the recovery point is not. */
static void read_all(log_t *log, int64_t offset, int strict)
{
    const int64_t end = log_end_offset(log), from = offset;
    record_batch_t batch;
    apr_pool_t *each;

    apr_pool_create(&each, pool);
    while (offset < end) {
        uint8_t *data;
        apr_size_t length, at;
        apr_status_t status =
            log_read(log, offset, end, 4096, &data, &length, each);

        if (status || length == 0)
            break;
        for (at = 0; at < length; at += record_batch_size(&batch)) {
            if (record_batch_parse(&batch, data + at, length - at)) {
                TAKHIN_ASSERT(!strict);
                apr_pool_destroy(each);
                return;
            }
            if (strict && batch.base_offset >= from)
                TAKHIN_ASSERT(!record_batch_verify_crc(&batch, data + at));
            if (record_batch_next_offset(&batch) <= offset) {
                TAKHIN_ASSERT(!strict);
                apr_pool_destroy(each);
                return;
            }
            offset = record_batch_next_offset(&batch);
        }
        apr_pool_clear(each);
    }
    apr_pool_destroy(each);
}

/* The recovery point that the files claim; 0 where they claim none. */
static int64_t recovery_point(void)
{
    checkpoint_t *checkpoint = checkpoint_create();
    int64_t point = 0, start = 0;
    const char *error;

    /* of a corrupt one, what stands above the line that makes no sense */
    (void)checkpoint_read(checkpoint, directory, &error, pool);
    checkpoint_get(checkpoint, NAME, &point, &start);
    checkpoint_destroy(checkpoint);
    return point;
}

static void must_read(log_t *log, int64_t offset, const uint8_t *wanted,
                      size_t size)
{
    uint8_t *data;
    apr_size_t length;

    TAKHIN_ASSERT(!log_read(log, offset, log_end_offset(log), 4096, &data,
                            &length, pool));
    TAKHIN_ASSERT(length == size && memcmp(data, wanted, size) == 0);
}

static void look_up(log_t *log)
{
    log_position_t position;
    log_aborted_t *aborted;
    log_producer_t *producers;
    int count;

    /* any status will do, a crash will not */
    (void)log_offset_for_timestamp(log, 1001, log_end_offset(log), &position);
    (void)log_max_timestamp(log, &position);
    (void)log_aborted_transactions(log, log_start_offset(log),
                                   log_end_offset(log), &aborted, &count, pool);
    (void)log_producers(log, &producers, &count, pool);
}

static void try_directory(int clean)
{
    const spec_t spec = {-1, -1, 3, 50, 0};
    int64_t point = recovery_point();
    append_result_t result;
    log_dir_t *dir;
    log_t *log;
    uint8_t *data;
    size_t length;

    if (open_log(&dir, &log))
        return;
    clean = clean && log_dir_was_clean(dir);
    TAKHIN_ASSERT(log_start_offset(log) <= log_end_offset(log));
    read_all(log, log_start_offset(log), 0);
    if (!clean) {
        if (point < log_start_offset(log))
            point = log_start_offset(log);
        read_all(log, point, 1);
    }
    look_up(log);
    data = make_batch(&spec, &length);
    append(log, data, length, 9, APPEND_CLIENT, &result);
    must_read(log, result.base_offset, data, length);
    TAKHIN_ASSERT(!log_close(log));
    TAKHIN_ASSERT(!log_dir_close(dir, 4));
    TAKHIN_ASSERT(!open_log(&dir, &log));
    TAKHIN_ASSERT(log_end_offset(log) == result.last_offset + 1);
    must_read(log, result.base_offset, data, length);
    TAKHIN_ASSERT(!log_close(log));
    TAKHIN_ASSERT(!log_dir_close(dir, 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int clean;

    if (size < 1)
        return 0;
    clean = data[0] & 1;
    apr_pool_create(&pool, global);
    write_directory(&images[clean], data + 1, size - 1);
    try_directory(clean);
    apr_pool_destroy(pool);
    return 0;
}
