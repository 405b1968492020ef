/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compaction that ends at every file operation in turn: what is found
 * afterwards is the log as it was, or as it was to become.
 */
#include "cleaner_util.h"

/* ---- a machine that stops ------------------------------------------------ */

typedef struct {
    int64_t count; /* operations so far */
    int64_t stop;  /* this one and all behind it fail; -1: none */
} machine_t;

static apr_status_t stopped(void *baton, fs_call_t *call)
{
    machine_t *machine = baton;

    /* What only looks changes nothing on the disk. */
    if (call->op == FS_READ || call->op == FS_STAT || call->op == FS_LIST)
        return machine->stop >= 0 && machine->count > machine->stop
                   ? APR_EGENERAL
                   : APR_SUCCESS;
    return machine->stop >= 0 && machine->count++ >= machine->stop
               ? APR_EGENERAL
               : APR_SUCCESS;
}

static machine_t machine;
static const fs_hooks_t hooks = {&machine, stopped, NULL};

static void run_until(int64_t stop)
{
    machine.count = 0;
    machine.stop = stop;
    fs_hooks = &hooks;
}

/* ---- the log ------------------------------------------------------------- */

/* Segments that become two; an aborted transaction, a tombstone, a batch to
 * be rebuilt and runs that stay. */
static void fill(log_t *log)
{
    static const keyed_t three[] = {{"a", "1"}, {"b", "1"}, {"t", NULL}};
    keyed_batch_t spec = KEYED_BATCH;
    keyed_batch_t txn = {RECORD_CODEC_NONE, 7, 0, 1000, 1};
    keyed_t aborted = {"b", "aborted"};
    int i;

    append_keyed(log, &spec, three, 3);
    append_keyed(log, &txn, &aborted, 1);
    append_marker(log, 7, 0);
    settle(log);
    append_one(log, "a", "2");
    append_one(log, "c", "1");
    settle(log);
    for (i = 0; i < 6; i++) {
        append_one(log, "d", "1");
        append_one(log, i % 2 ? "e" : "f", "1");
    }
    settle(log);
    append_one(log, "g", "1");
}

static void open_crash_bench(bench_t *bench, const char *path)
{
    log_config_t config;

    compact_config(&config);
    config.segment_bytes = 700;
    open_bench(bench, path, &config);
}

/* The machine stopped: nothing is written any more. */
static void abandon(bench_t *bench)
{
    log_abandon(bench->log);
    (void)log_dir_close(bench->dirs[0], -2); /* it cannot write either */
}

static const char *whole_dump(log_t *log)
{
    log_aborted_t *aborted;
    int i, count;
    const char *text = dump_all(log);

    UNIT_OK(log_aborted_transactions(log, 0, log_end_offset(log), &aborted,
                                     &count, unit_pool()));
    for (i = 0; i < count; i++)
        text = apr_psprintf(unit_pool(), "%s aborted %d@%d", text,
                            (int)aborted[i].producer_id,
                            (int)aborted[i].first_offset);
    return text;
}

/* Nothing is left over, and each offset is found where it is. */
static apr_status_t no_left_over(void *baton, const char *name,
                                 apr_filetype_e type)
{
    (void)baton;
    (void)type;
    CU_ASSERT_FALSE(log_is_left_over(name));
    return APR_SUCCESS;
}

static void check_offsets(log_t *log)
{
    int64_t offset, end = log_end_offset(log);

    for (offset = 0; offset < end; offset++) {
        record_batch_t batch;
        apr_size_t length;
        uint8_t *data;

        UNIT_OK(log_read(log, offset, end, 1, &data, &length, unit_pool()));
        UNIT_OK(record_batch_parse(&batch, data, length));
        CU_ASSERT(record_batch_last_offset(&batch) >= offset);
    }
}

/* Compacts a fresh log in PATH, stopping at STOP. How many operations there
 * would have been. */
static int64_t compact_until(const char *path, int64_t stop)
{
    int64_t count;
    bench_t bench;
    int found;

    open_crash_bench(&bench, path);
    fill(bench.log);
    run_until(stop);
    (void)cleaner_run_once(bench.cleaner, &found); /* it fails, but for -1 */
    count = machine.count;
    abandon(&bench);
    fs_hooks = NULL;
    return count;
}

static const char *reopened(const char *path)
{
    bench_t bench;
    const char *text;

    open_crash_bench(&bench, path);
    text = whole_dump(bench.log);
    check_offsets(bench.log);
    UNIT_OK(fs_list(bench.log->path, no_left_over, NULL));
    close_bench(&bench);
    return text;
}

static void expected(const char **before, const char **after, int64_t *count)
{
    const char *path = memory_dir();
    bench_t bench;
    int segments;

    open_crash_bench(&bench, path);
    fill(bench.log);
    segments = bench.log->segment_count;
    *before = whole_dump(bench.log);
    run_until(1 << 30);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    *count = machine.count;
    fs_hooks = NULL;
    *after = whole_dump(bench.log);
    CU_ASSERT(bench.log->segment_count < segments);
    CU_ASSERT_STRING_NOT_EQUAL(*before, *after);
    close_bench(&bench);
}

/* The first group is swapped before the second, so there is a state between. */
static int is_known(const char *found, const char *before, const char *after,
                    const char **between)
{
    if (strcmp(found, before) == 0 || strcmp(found, after) == 0)
        return 1;
    if (*between == NULL)
        *between = found;
    return strcmp(found, *between) == 0;
}

static void a_crash_anywhere_leaves_the_old_or_the_new_segments(void)
{
    const char *before, *after, *between = NULL;
    int64_t stop, count;
    int old = 0, new = 0;

    expected(&before, &after, &count);
    CU_ASSERT(count > 40);
    for (stop = 0; stop <= count; stop++) {
        const char *path = memory_dir(), *found;

        compact_until(path, stop);
        found = reopened(path);
        if (!is_known(found, before, after, &between))
            printf("# at operation %d: %s\n", (int)stop, found);
        CU_ASSERT(is_known(found, before, after, &between));
        CU_ASSERT(stop > 0 || strcmp(found, before) == 0);
        CU_ASSERT(stop < count || strcmp(found, after) == 0);
        old += strcmp(found, before) == 0;
        new += strcmp(found, after) == 0;
        unit_remove(path);
    }
    CU_ASSERT(old > 10 && new > 3);
    printf("# %d operations: %d times the old, %d times the new segments, "
           "%d between\n",
           (int)count, old, new, (int)(count + 1 - old - new));
}

/* Opens the log while the machine stops at STOP once more. */
static int open_until(const char *path, int64_t stop)
{
    log_dir_options_t options;
    log_config_t config;
    log_dir_t *dir;
    log_t *log = NULL;
    const char *error;
    apr_status_t status;

    compact_config(&config);
    config.segment_bytes = 700;
    log_dir_options_init(&options);
    UNIT_OK(log_dir_open(&dir, path, &options, unit_pool(), &error));
    run_until(stop);
    status = log_open(&log, dir, "t-0", NULL, &config, 0);
    if (status == APR_SUCCESS)
        log_abandon(log);
    (void)log_dir_close(dir, -2); /* the machine has stopped */
    fs_hooks = NULL;
    return status == APR_SUCCESS;
}

static apr_status_t find_swap(void *baton, const char *name,
                              apr_filetype_e type)
{
    (void)type;
    *(int *)baton |= strstr(name, ".swap") != NULL;
    return APR_SUCCESS;
}

/* Whether the crash left a swap to be finished or undone. */
static int left_a_swap(const char *path)
{
    int found = 0;

    UNIT_OK(fs_list(apr_pstrcat(unit_pool(), path, "/t-0", NULL), find_swap,
                    &found));
    return found;
}

static void a_crash_while_a_swap_is_finished_changes_nothing(void)
{
    const char *before, *after, *between = NULL;
    int64_t stop, again, count;
    int states = 0;

    expected(&before, &after, &count);
    for (stop = 0; stop <= count; stop++) {
        const char *first = NULL;
        int done = 0;

        for (again = 0; !done && again < 200; again++) {
            const char *path = memory_dir(), *found;

            compact_until(path, stop);
            if (again == 0 && !left_a_swap(path)) {
                unit_remove(path);
                done = 1;
                break;
            }
            done = open_until(path, again);
            found = reopened(path);
            CU_ASSERT(is_known(found, before, after, &between));
            if (first == NULL)
                first = found;
            CU_ASSERT_STRING_EQUAL(found, first);
            unit_remove(path);
            states++;
        }
        CU_ASSERT(done);
    }
    CU_ASSERT(states > 100);
    printf("# %d pairs of crashes\n", states);
}

/* ---- what Kafka may leave ------------------------------------------------ */

static void write_file(const char *directory, const char *name)
{
    UNIT_OK(fs_write_whole(apr_pstrcat(unit_pool(), directory, "/", name, NULL),
                           "x", 1));
}

static void files_that_were_to_go_are_gone(void)
{
    const char *path = memory_dir(), *log_path, *before;
    bench_t bench;

    open_crash_bench(&bench, path);
    fill(bench.log);
    before = whole_dump(bench.log);
    log_path = apr_pstrdup(unit_pool(), bench.log->path);
    close_bench(&bench);
    write_file(log_path, "00000000000000000000.log.cleaned");
    write_file(log_path, "00000000000000000000.index.swap");
    write_file(log_path, "00000000000000000099.log.deleted");
    CU_ASSERT_STRING_EQUAL(reopened(path), before);
}

/* ---- a disk that fails or is full ---------------------------------------- */

static apr_status_t full(void *baton, fs_call_t *call)
{
    (void)baton;
    return call->op == FS_WRITE && strstr(call->path, ".cleaned") != NULL
               ? APR_ENOSPC
               : APR_SUCCESS;
}

static void a_full_disk_puts_compaction_off(void)
{
    static const fs_hooks_t full_hooks = {NULL, full, NULL};
    const char *path = memory_dir(), *before;
    cleaner_stats_t stats;
    bench_t bench;
    int found;

    open_crash_bench(&bench, path);
    fill(bench.log);
    before = whole_dump(bench.log);
    fs_hooks = &full_hooks;
    CU_ASSERT(APR_STATUS_IS_ENOSPC(cleaner_run_once(bench.cleaner, &found)));
    fs_hooks = NULL;
    CU_ASSERT(log_dir_online(bench.dirs[0]));
    CU_ASSERT_STRING_EQUAL(whole_dump(bench.log), before);
    UNIT_OK(fs_list(bench.log->path, no_left_over, NULL));
    cleaner_stats(bench.cleaner, &stats);
    CU_ASSERT_EQUAL(stats.work.abandoned, 1);
    CU_ASSERT_EQUAL(clean(&bench), 1);
    close_bench(&bench);
}

UNIT_MAIN(UNIT_TEST(a_crash_anywhere_leaves_the_old_or_the_new_segments),
          UNIT_TEST(a_crash_while_a_swap_is_finished_changes_nothing),
          UNIT_TEST(files_that_were_to_go_are_gone),
          UNIT_TEST(a_full_disk_puts_compaction_off))
