/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that fail, fill up, and transfer less than they were asked to. */
#include "base/lock.h"
#include "storage_util.h"

static const char *path;
static log_dir_t *dir;
static log_t *log_;
static log_config_t config;

static void begin(void)
{
    path = unit_tmpdir();
    log_config_init(&config);
    config.segment_bytes = 3000;
    dir = open_dir(path);
    UNIT_OK(log_open(&log_, dir, "topic-0", NULL, &config, 0));
}

/* ---- what the disk does ------------------------------------------------ */

typedef struct {
    fs_op_t op;
    int after;           /* so many calls are let through */
    int times;           /* and so many then fail; -1 all */
    apr_status_t status; /* with this; APR_SUCCESS: they are short */
    int calls;
} fault_t;

static apr_status_t before(void *baton, fs_call_t *call)
{
    fault_t *fault = baton;

    if (call->op != fault->op)
        return APR_SUCCESS;
    if (fault->calls++ < fault->after ||
        (fault->times >= 0 && fault->calls > fault->after + fault->times))
        return APR_SUCCESS;
    if (fault->status == APR_SUCCESS && call->length > 7)
        call->length = 7;
    return fault->status;
}

static fault_t fault;
static const fs_hooks_t hooks = {&fault, before, NULL};

static void fail(fs_op_t op, int after, int times, apr_status_t status)
{
    fault_t set = {op, after, times, status, 0};

    fault = set;
    fs_hooks = &hooks;
}

static void heal(void)
{
    fs_hooks = NULL;
}

static apr_status_t append_one(void)
{
    batch_spec_t spec = PLAIN_BATCH;
    append_result_t result;

    spec.value_size = 900;
    return append_spec(log_, &spec, &result);
}

/* ---- and what becomes of it -------------------------------------------- */

static void short_transfers_are_repeated(void)
{
    begin();
    fail(FS_WRITE, 0, -1, APR_SUCCESS);
    append_plain(log_, 10, 1, 900);
    fail(FS_READ, 0, -1, APR_SUCCESS);
    check_all(log_);
    heal();
    check_all(log_);
    UNIT_OK(log_close(log_));
    UNIT_OK(log_dir_close(dir, -1));
}

static void interrupted_calls_are_repeated(void)
{
    begin();
    fail(FS_WRITE, 2, 1, APR_EINTR);
    append_plain(log_, 10, 1, 900);
    heal();
    check_all(log_);
    UNIT_OK(log_close(log_));
    UNIT_OK(log_dir_close(dir, -1));
}

static void a_full_disk_refuses_appends_and_nothing_else(void)
{
    int after;

    begin();
    append_plain(log_, 4, 1, 900);
    for (after = 0; after < 6; after++) {
        int64_t end = log_end_offset(log_);
        apr_status_t status;

        fail(FS_WRITE, after, -1, APR_ENOSPC);
        do {
            status = append_one();
        } while (status == APR_SUCCESS);
        CU_ASSERT(APR_STATUS_IS_ENOSPC(status));
        heal();
        CU_ASSERT(log_end_offset(log_) >= end);
        CU_ASSERT_TRUE(log_dir_online(dir));
        check_all(log_);
        append_plain(log_, 3, 1, 900);
        check_all(log_);
    }
    UNIT_OK(log_close(log_));
    UNIT_OK(log_dir_close(dir, -1));
}

static int gone;

static void told_gone(void *baton, log_t *log)
{
    (void)baton;
    (void)log;
    gone++;
}

static void check_offline(int64_t end)
{
    read_range_t range;

    CU_ASSERT_FALSE(log_dir_online(dir));
    CU_ASSERT_EQUAL(gone, 1);
    heal();
    CU_ASSERT_EQUAL(append_one(), TAKHIN_EOFFLINE);
    CU_ASSERT_EQUAL(log_read_range(log_, 0, end, 100, 1, &range),
                    TAKHIN_EOFFLINE);
    CU_ASSERT_EQUAL(log_close(log_), TAKHIN_EOFFLINE);
    CU_ASSERT_EQUAL(log_dir_close(dir, -1), TAKHIN_EOFFLINE);
}

static void goes_offline(fs_op_t op)
{
    static const log_listener_t listener = {NULL, told_gone, NULL, NULL};
    const char *marker;
    fs_stat_t stat;

    begin();
    gone = 0;
    log_listen(log_, &listener);
    append_plain(log_, 2, 1, 900);
    fail(op, 0, -1, APR_EGENERAL);
    CU_ASSERT_EQUAL(op == FS_SYNC ? log_flush(log_) : append_one(),
                    APR_EGENERAL);
    check_offline(2);
    /* No marker: the next start looks at everything. */
    marker = apr_pstrcat(unit_pool(), path, "/.kafka_cleanshutdown", NULL);
    CU_ASSERT(APR_STATUS_IS_ENOENT(fs_stat(marker, &stat)));
    dir = open_dir(path);
    UNIT_OK(log_open(&log_, dir, "topic-0", NULL, &config, 0));
    CU_ASSERT_EQUAL(log_end_offset(log_), 2);
    check_all(log_);
    UNIT_OK(log_close(log_));
    UNIT_OK(log_dir_close(dir, -1));
}

static void a_failed_write_takes_the_directory_offline(void)
{
    goes_offline(FS_WRITE);
}

static void a_failed_flush_takes_the_directory_offline(void)
{
    goes_offline(FS_SYNC);
}

static void a_failed_flush_is_not_tried_again(void)
{
    begin();
    append_plain(log_, 2, 1, 900);
    fail(FS_SYNC, 0, -1, APR_EGENERAL);
    CU_ASSERT_EQUAL(log_flush(log_), APR_EGENERAL);
    CU_ASSERT_EQUAL(fault.calls, 1);
    CU_ASSERT_EQUAL(log_flush(log_), TAKHIN_EOFFLINE);
    CU_ASSERT_EQUAL(fault.calls, 1);
    CU_ASSERT_EQUAL(log_flushed_offset(log_), 0);
    heal();
    log_abandon(log_);
    CU_ASSERT_EQUAL(log_dir_close(dir, -1), TAKHIN_EOFFLINE);
}

static apr_status_t copy_file(void *baton, const char *name,
                              apr_filetype_e type)
{
    char *data;
    apr_size_t length;

    (void)type;
    UNIT_OK(
        fs_read_whole(apr_pstrcat(unit_pool(), path, "/topic-0/", name, NULL),
                      1 << 20, &data, &length, unit_pool()));
    return fs_write_whole(
        apr_pstrcat(unit_pool(), baton, "/topic-0/", name, NULL), data, length);
}

/* Whatever byte the kill came at, all whole batches before it are there. */
static void a_log_cut_anywhere_recovers(void)
{
    const char *from, *log_path;
    apr_off_t size, cut;
    fs_file_t *file;

    begin();
    config.index_interval_bytes = 300;
    log_set_config(log_, &config);
    append_plain(log_, 6, 2, 150);
    log_abandon(log_);
    UNIT_OK(log_dir_close(dir, -2));
    from = path;
    log_path = "/topic-0/00000000000000000000.log";
    UNIT_OK(fs_open(&file, apr_pstrcat(unit_pool(), from, log_path, NULL), 0));
    UNIT_OK(fs_size(file, &size));
    UNIT_OK(fs_close(file));
    for (cut = 0; cut < size; cut += 37) {
        char *to = apr_psprintf(unit_pool(), "%s-%ld", from, (long)cut);
        int64_t whole = cut / (size / 6) * 2;

        UNIT_OK(fs_mkdir(apr_pstrcat(unit_pool(), to, "/topic-0", NULL)));
        path = from;
        UNIT_OK(fs_list(apr_pstrcat(unit_pool(), from, "/topic-0", NULL),
                        copy_file, to));
        UNIT_OK(fs_open(&file, apr_pstrcat(unit_pool(), to, log_path, NULL),
                        FS_WRITABLE));
        UNIT_OK(fs_truncate(file, cut));
        if (cut % 2) /* what was not written comes back as zeros */
            UNIT_OK(fs_truncate(file, size));
        UNIT_OK(fs_close(file));
        dir = open_dir(to);
        UNIT_OK(log_open(&log_, dir, "topic-0", NULL, &config, 0));
        CU_ASSERT_EQUAL(log_end_offset(log_), whole);
        append_plain(log_, 3, 2, 150);
        check_all(log_);
        UNIT_OK(log_close(log_));
        UNIT_OK(log_dir_close(dir, -1));
        unit_remove(to);
    }
}

/* Every call that opening makes fails once: an error, or a log that is whole.
 */
static void opening_survives_each_failing_call(void)
{
    static const fs_op_t ops[] = {FS_OPEN, FS_READ,   FS_WRITE,   FS_STAT,
                                  FS_LIST, FS_RENAME, FS_TRUNCATE};
    unsigned i;
    int after;

    begin();
    append_plain(log_, 20, 1, 900);
    log_abandon(log_);
    UNIT_OK(log_dir_close(dir, -2));
    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        for (after = 0; after < 40; after++) {
            apr_status_t status;

            dir = open_dir(path);
            fail(ops[i], after, 1, APR_EGENERAL);
            status = log_open(&log_, dir, "topic-0", NULL, &config, 0);
            heal();
            if (status == APR_SUCCESS) {
                CU_ASSERT_EQUAL(log_end_offset(log_), 20);
                check_all(log_);
                log_abandon(log_);
            } else {
                CU_ASSERT_FALSE(log_dir_online(dir));
            }
            log_dir_close(dir, -2);
        }
}

UNIT_MAIN(UNIT_TEST(short_transfers_are_repeated),
          UNIT_TEST(interrupted_calls_are_repeated),
          UNIT_TEST(a_full_disk_refuses_appends_and_nothing_else),
          UNIT_TEST(a_failed_write_takes_the_directory_offline),
          UNIT_TEST(a_failed_flush_takes_the_directory_offline),
          UNIT_TEST(a_failed_flush_is_not_tried_again),
          UNIT_TEST(a_log_cut_anywhere_recovers),
          UNIT_TEST(opening_survives_each_failing_call))
