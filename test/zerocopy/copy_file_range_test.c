/* SPDX-License-Identifier: Apache-2.0 */
/* takhin_copy_file_range with the system's own call. */
#include "support.h"

#define SIZE (2 * MIB + 19)

static void copy(apr_off_t from_offset, apr_off_t to_offset, apr_off_t count)
{
    apr_file_t *from = file_with(SIZE);
    apr_file_t *to = file_create(unit_tmpdir(), "to");
    takhin_zerocopy_counters_t counters = {0};
    apr_off_t copied;

    ASSERT_OK(takhin_copy_file_range(from, from_offset, to, to_offset, count,
                                     &counters, &copied));
    CU_ASSERT_EQUAL(copied, count);
    CU_ASSERT_EQUAL(file_position(from), 0);
    CU_ASSERT_EQUAL(file_position(to), 0);
    CU_ASSERT(file_matches(to, to_offset, count, from_offset));
    CU_ASSERT_EQUAL(counters.zero_copy_calls + fallback_calls_of_all(&counters),
                    1);
    apr_file_close(from);
    apr_file_close(to);
}

static void a_whole_file_is_copied(void)
{
    copy(0, 0, SIZE);
}

static void a_part_lands_at_its_offset(void)
{
    copy(4097, 0, MIB);
    copy(1, 100001, 1);
    copy(SIZE - 3, 5, 3);
}

static void offsets_above_4_gib_work(void)
{
    const apr_off_t offset = 4 * GIB + 777;
    apr_file_t *from = file_create(unit_tmpdir(), "from");
    apr_file_t *to = file_create(unit_tmpdir(), "to");
    apr_off_t copied;

    file_fill(from, offset, MIB);
    ASSERT_OK(
        takhin_copy_file_range(from, offset, to, 5 * GIB, MIB, NULL, &copied));
    CU_ASSERT_EQUAL(copied, MIB);
    CU_ASSERT(file_matches(to, 5 * GIB, MIB, offset));
    apr_file_close(from);
    apr_file_close(to);
}

static void a_shorter_source_ends_with_eof(void)
{
    apr_file_t *from = file_with(1000);
    apr_file_t *to = file_create(unit_tmpdir(), "to");
    apr_off_t copied;

    CU_ASSERT_EQUAL(
        takhin_copy_file_range(from, 300, to, 0, 5000, NULL, &copied), APR_EOF);
    CU_ASSERT_EQUAL(copied, 700);
    CU_ASSERT(file_matches(to, 0, 700, 300));
    CU_ASSERT_EQUAL(takhin_copy_file_range(from, 1000, to, 0, 1, NULL, &copied),
                    APR_EOF);
    CU_ASSERT_EQUAL(copied, 0);
    apr_file_close(from);
    apr_file_close(to);
}

static void ranges_of_one_file_must_not_overlap(void)
{
    apr_file_t *file = file_with(100000);
    apr_off_t copied;

    CU_ASSERT_EQUAL(
        takhin_copy_file_range(file, 0, file, 49999, 50000, NULL, &copied),
        APR_EINVAL);
    CU_ASSERT_EQUAL(
        takhin_copy_file_range(file, 49999, file, 0, 50000, NULL, &copied),
        APR_EINVAL);
    CU_ASSERT(file_matches(file, 0, 100000, 0));
    ASSERT_OK(
        takhin_copy_file_range(file, 0, file, 50000, 50000, NULL, &copied));
    CU_ASSERT_EQUAL(copied, 50000);
    CU_ASSERT(file_matches(file, 50000, 50000, 0));
    apr_file_close(file);
}

static void what_is_no_range_is_refused(void)
{
    apr_file_t *from = file_with(10);
    apr_file_t *to = file_create(unit_tmpdir(), "to");
    apr_off_t copied;

    CU_ASSERT_EQUAL(takhin_copy_file_range(from, -1, to, 0, 1, NULL, &copied),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(takhin_copy_file_range(from, 0, to, -1, 1, NULL, &copied),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(
        takhin_copy_file_range(from, 0, to, APR_INT64_MAX, 1, NULL, &copied),
        APR_EINVAL);
    CU_ASSERT_EQUAL(takhin_copy_file_range(from, 0, to, 0, 0, NULL, &copied),
                    APR_SUCCESS);
    apr_file_close(from);
    apr_file_close(to);
}

static void a_destination_that_cannot_be_written_is_an_error(void)
{
    apr_file_t *from = file_with(SIZE);
    const char *path = apr_pstrcat(unit_pool(), unit_tmpdir(), "/to", NULL);
    apr_file_t *to;
    apr_off_t copied;

    ASSERT_OK(apr_file_open(&to, path, APR_FOPEN_CREATE | APR_FOPEN_READ,
                            APR_FPROT_OS_DEFAULT, unit_pool()));
    CU_ASSERT(takhin_copy_file_range(from, 0, to, 0, SIZE, NULL, &copied) !=
              APR_SUCCESS);
    CU_ASSERT_EQUAL(copied, 0);
    apr_file_close(from);
    apr_file_close(to);
}

/* A file in memory, if that is another file system than the temporary
 * directory's. */
static apr_file_t *file_elsewhere(apr_file_t *here)
{
    apr_finfo_t ours, theirs;
    const char *path = apr_psprintf(unit_pool(), "/dev/shm/takhin-%d-%pp",
                                    (int)apr_time_now(), (void *)here);
    apr_file_t *file;

    if (apr_file_open(&file, path,
                      APR_FOPEN_CREATE | APR_FOPEN_EXCL | APR_FOPEN_READ |
                          APR_FOPEN_WRITE | APR_FOPEN_BINARY |
                          APR_FOPEN_DELONCLOSE,
                      APR_FPROT_OS_DEFAULT, unit_pool()) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_file_info_get(&ours, APR_FINFO_DEV, here) != APR_SUCCESS ||
        apr_file_info_get(&theirs, APR_FINFO_DEV, file) != APR_SUCCESS ||
        ours.device == theirs.device) {
        apr_file_close(file);
        return NULL;
    }
    return file;
}

static void a_copy_between_two_file_systems_is_whole(void)
{
    takhin_zerocopy_counters_t counters = {0};
    apr_file_t *here = file_with(SIZE);
    apr_file_t *there = file_elsewhere(here);
    apr_file_t *back = file_create(unit_tmpdir(), "back");
    apr_off_t copied;

    if (there == NULL) {
        unit_skip("no second file system to write to");
        return;
    }
    ASSERT_OK(
        takhin_copy_file_range(here, 0, there, 0, SIZE, &counters, &copied));
    CU_ASSERT_EQUAL(copied, SIZE);
    CU_ASSERT(file_matches(there, 0, SIZE, 0));
    ASSERT_OK(takhin_copy_file_range(there, 10, back, 4, SIZE - 10, &counters,
                                     &copied));
    CU_ASSERT_EQUAL(copied, SIZE - 10);
    CU_ASSERT(file_matches(back, 4, SIZE - 10, 10));
    apr_file_close(there);
    apr_file_close(back);
    apr_file_close(here);
}

static void what_has_bytes_but_no_size_is_copied(void)
{
    apr_file_t *from;
    apr_file_t *to = file_create(unit_tmpdir(), "to");
    apr_off_t copied;
    char word[6] = "";
    apr_size_t n = 5;
    apr_off_t zero = 0;

    if (apr_file_open(&from, "/proc/version", APR_FOPEN_READ, 0, unit_pool()) !=
        APR_SUCCESS) {
        unit_skip("no proc file system here");
        return;
    }
    ASSERT_OK(takhin_copy_file_range(from, 0, to, 0, 5, NULL, &copied));
    CU_ASSERT_EQUAL(copied, 5);
    ASSERT_OK(apr_file_seek(to, APR_SET, &zero));
    ASSERT_OK(apr_file_read(to, word, &n));
    CU_ASSERT_STRING_EQUAL(word, "Linux");
    apr_file_close(from);
    apr_file_close(to);
}

UNIT_MAIN(UNIT_TEST(a_whole_file_is_copied),
          UNIT_TEST(a_part_lands_at_its_offset),
          UNIT_TEST(offsets_above_4_gib_work),
          UNIT_TEST(a_shorter_source_ends_with_eof),
          UNIT_TEST(ranges_of_one_file_must_not_overlap),
          UNIT_TEST(what_is_no_range_is_refused),
          UNIT_TEST(a_destination_that_cannot_be_written_is_an_error),
          UNIT_TEST(a_copy_between_two_file_systems_is_whole),
          UNIT_TEST(what_has_bytes_but_no_size_is_copied))
