/* SPDX-License-Identifier: Apache-2.0 */
/* The file system of base, against a real directory. */
#include "base/fs.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static char *in_dir(const char *name)
{
    return apr_pstrcat(unit_pool(), unit_tmpdir(), "/", name, NULL);
}

static void bytes_are_where_they_were_written(void)
{
    char *path = in_dir("file"), buffer[16];
    fs_file_t *file;
    apr_off_t size;
    apr_size_t got;

    CU_ASSERT(APR_STATUS_IS_ENOENT(fs_open(&file, path, FS_WRITABLE)));
    UNIT_OK(fs_open(&file, path, FS_WRITABLE | FS_CREATE));
    UNIT_OK(fs_write_at(file, 5, "world", 5));
    UNIT_OK(fs_write_at(file, 0, "hello", 5));
    UNIT_OK(fs_size(file, &size));
    CU_ASSERT_EQUAL(size, 10);
    UNIT_OK(fs_read_at(file, 3, buffer, 4, &got));
    CU_ASSERT_EQUAL(got, 4);
    CU_ASSERT_EQUAL(memcmp(buffer, "lowo", 4), 0);
    CU_ASSERT_EQUAL(fs_read_at(file, 8, buffer, 16, &got), APR_EOF);
    CU_ASSERT_EQUAL(got, 2);
    UNIT_OK(fs_sync(file));
    UNIT_OK(fs_truncate(file, 4));
    UNIT_OK(fs_size(file, &size));
    CU_ASSERT_EQUAL(size, 4);
    CU_ASSERT_EQUAL(fs_read_at(file, 4, buffer, 1, &got), APR_EOF);
    UNIT_OK(fs_close(file));
    CU_ASSERT(APR_STATUS_IS_EEXIST(
        fs_open(&file, path, FS_WRITABLE | FS_CREATE | FS_EXCLUSIVE)));
    UNIT_OK(fs_remove(path));
    CU_ASSERT(APR_STATUS_IS_ENOENT(fs_remove(path)));
}

static void a_file_is_replaced_whole(void)
{
    char *path = in_dir("checkpoint"), *data;
    apr_size_t length;

    UNIT_OK(fs_write_atomic(path, "first", 5));
    UNIT_OK(fs_write_atomic(path, "second", 6));
    UNIT_OK(fs_read_whole(path, 100, &data, &length, unit_pool()));
    CU_ASSERT_EQUAL(length, 6);
    CU_ASSERT_STRING_EQUAL(data, "second");
    CU_ASSERT_EQUAL(fs_read_whole(path, 5, &data, &length, unit_pool()),
                    APR_EGENERAL);
}

static const fs_op_t *forbidden;

static apr_status_t forbid(void *baton, fs_call_t *call)
{
    (void)baton;
    return call->op == *forbidden ? APR_EGENERAL : APR_SUCCESS;
}

static void a_file_that_cannot_be_replaced_stays(void)
{
    static const fs_op_t ops[] = {FS_OPEN, FS_WRITE, FS_SYNC, FS_RENAME};
    static const fs_hooks_t hooks = {NULL, forbid, NULL};
    char *path = in_dir("checkpoint"), *data;
    apr_size_t length;
    unsigned i;

    UNIT_OK(fs_write_atomic(path, "first", 5));
    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        forbidden = &ops[i];
        fs_hooks = &hooks;
        CU_ASSERT_EQUAL(fs_write_atomic(path, "second", 6), APR_EGENERAL);
        fs_hooks = NULL;
        UNIT_OK(fs_read_whole(path, 100, &data, &length, unit_pool()));
        CU_ASSERT_STRING_EQUAL(data, "first");
    }
}

static apr_status_t count_each(void *baton, const char *name,
                               apr_filetype_e type)
{
    int *counts = baton;

    (void)name;
    counts[type == APR_DIR]++;
    return APR_SUCCESS;
}

static void a_tree_is_made_listed_and_removed(void)
{
    char *top = in_dir("a");
    int counts[2] = {0, 0};
    fs_stat_t stat;

    UNIT_OK(fs_mkdir(apr_pstrcat(unit_pool(), top, "/b/c", NULL)));
    UNIT_OK(fs_mkdir(top)); /* it is there: no error */
    UNIT_OK(fs_write_whole(apr_pstrcat(unit_pool(), top, "/f", NULL), "x", 1));
    UNIT_OK(
        fs_write_whole(apr_pstrcat(unit_pool(), top, "/b/g", NULL), "x", 1));
    UNIT_OK(fs_list(top, count_each, counts));
    CU_ASSERT_EQUAL(counts[0], 1);
    CU_ASSERT_EQUAL(counts[1], 1);
    UNIT_OK(fs_sync_dir(top));
    UNIT_OK(fs_remove_tree(top));
    CU_ASSERT(APR_STATUS_IS_ENOENT(fs_stat(top, &stat)));
    CU_ASSERT(APR_STATUS_IS_ENOENT(fs_list(top, count_each, counts)));
}

static void free_space_is_known(void)
{
    apr_off_t free, total;

    UNIT_OK(fs_free_space(unit_tmpdir(), &free, &total));
    CU_ASSERT(free > 0 && free <= total);
}

/* A lock belongs to a process: this one starts itself as the other. */
static const char *program;
#define OTHER "--lock"

static int other_process(const char *path)
{
    fs_lock_t *lock;
    int holder;
    apr_status_t status = fs_lock(&lock, path, &holder);

    if (!status)
        fs_unlock(lock);
    return APR_STATUS_IS_EAGAIN(status) ? holder % 100 + 100 : status != 0;
}

static int run_other(const char *path)
{
    const char *arguments[] = {program, OTHER, path, NULL};
    apr_procattr_t *attributes;
    apr_exit_why_e why;
    apr_proc_t process;
    int code = -1;

    UNIT_OK(apr_procattr_create(&attributes, unit_pool()));
    UNIT_OK(apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV));
    UNIT_OK(apr_proc_create(&process, program, arguments, NULL, attributes,
                            unit_pool()));
    apr_proc_wait(&process, &code, &why, APR_WAIT);
    return code;
}

static void a_second_process_is_told_who_has_the_lock(void)
{
    char *path = in_dir(".lock");
    fs_lock_t *lock;

    UNIT_OK(fs_lock(&lock, path, NULL));
    CU_ASSERT_EQUAL(run_other(path), fs_os_process_id() % 100 + 100);
    fs_unlock(lock);
    CU_ASSERT_EQUAL(run_other(path), 0);
}

int main(int argc, const char *const *argv)
{
    static const unit_test_t tests[] = {
        UNIT_TEST(bytes_are_where_they_were_written),
        UNIT_TEST(a_file_is_replaced_whole),
        UNIT_TEST(a_file_that_cannot_be_replaced_stays),
        UNIT_TEST(a_tree_is_made_listed_and_removed),
        UNIT_TEST(free_space_is_known),
        UNIT_TEST(a_second_process_is_told_who_has_the_lock),
    };

    program = argv[0];
    if (argc == 3 && strcmp(argv[1], OTHER) == 0) {
        apr_initialize();
        return other_process(argv[2]);
    }
    return unit_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
