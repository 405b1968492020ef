/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way a system call can refuse, stop short or be interrupted, provoked
 * at its Nth call by putting other calls under the package.
 */
#include <errno.h>

#include "support.h"
#include "zerocopy/zerocopy_internal.h"

#define SIZE (300 * KIB + 7)
#define STEP 40009 /* most that one faked call moves: no round byte counts */

/* What the faulty calls below do. They all count as one series. */
static struct {
    int nth;             /* the call that fails: 0 is the first, -1 none */
    apr_status_t status; /* what it says */
    int moves;           /* it moves bytes all the same */
    int lasts;           /* all later ones fail as well */
    int calls;           /* so far */
} fault;

static int fault_strikes(void)
{
    int n = fault.calls++;

    return fault.nth >= 0 && (n == fault.nth || (fault.lasts && n > fault.nth));
}

static apr_off_t least(apr_off_t a, apr_off_t b)
{
    return a < b ? a : b;
}

/* The system's call, which may have none, or a copy that acts like one. */
static apr_status_t move_to(const takhin_destination_t *to, apr_file_t *from,
                            apr_off_t offset, apr_off_t count, apr_off_t *moved)
{
    const zerocopy_calls_t *ours = zerocopy_calls;
    apr_status_t status;

    zerocopy_calls = &zerocopy_native;
    *moved = 0;
    status = zerocopy_copy_to(to, from, offset, least(count, STEP), moved);
    zerocopy_calls = ours;
    return status == APR_EOF ? APR_SUCCESS : status;
}

static apr_status_t faulty_send(const takhin_destination_t *to,
                                apr_file_t *from, apr_off_t offset,
                                apr_off_t count, apr_off_t *moved)
{
    *moved = 0;
    if (fault_strikes()) {
        if (fault.moves) {
            (void)move_to(to, from, offset, count, moved);
        }
        return fault.status;
    }
    return move_to(to, from, offset, count, moved);
}

static apr_status_t faulty_send_socket(apr_socket_t *socket, apr_file_t *from,
                                       apr_off_t offset, apr_off_t count,
                                       apr_off_t *moved)
{
    takhin_destination_t to = takhin_to_socket(socket);

    return faulty_send(&to, from, offset, count, moved);
}

static apr_status_t faulty_send_pipe(apr_file_t *pipe, apr_file_t *from,
                                     apr_off_t offset, apr_off_t count,
                                     apr_off_t *moved)
{
    takhin_destination_t to = takhin_to_file(pipe);

    return faulty_send(&to, from, offset, count, moved);
}

static apr_status_t faulty_copy_range(apr_file_t *from, apr_off_t from_offset,
                                      apr_file_t *to, apr_off_t to_offset,
                                      apr_off_t count, apr_off_t *moved)
{
    apr_status_t status;

    *moved = 0;
    if (fault_strikes() && !fault.moves) {
        return fault.status;
    }
    status = zerocopy_copy_range(from, from_offset, to, to_offset,
                                 least(count, STEP), moved);
    if (fault.moves && fault.nth == fault.calls - 1) {
        return fault.status;
    }
    return status == APR_EOF ? APR_SUCCESS : status;
}

static const zerocopy_calls_t *faulty_zero_copy(void)
{
    static zerocopy_calls_t calls;

    calls = zerocopy_native;
    calls.send_socket = faulty_send_socket;
    calls.send_pipe = faulty_send_pipe;
    calls.copy_range = faulty_copy_range;
    return &calls;
}

static void fault_set(int nth, apr_status_t status, int moves, int lasts)
{
    fault.nth = nth;
    fault.status = status;
    fault.moves = moves;
    fault.lasts = lasts;
    fault.calls = 0;
}

static const struct {
    apr_status_t status;
    takhin_fallback_t reason;
} refusals[] = {
    {ENOSYS, TAKHIN_FALLBACK_ENOSYS},
    {APR_ENOTIMPL, TAKHIN_FALLBACK_ENOSYS},
    {APR_EINVAL, TAKHIN_FALLBACK_EINVAL},
    {APR_EXDEV, TAKHIN_FALLBACK_EXDEV},
    {EOPNOTSUPP, TAKHIN_FALLBACK_EOPNOTSUPP},
    {ENOTSUP, TAKHIN_FALLBACK_EOPNOTSUPP},
    {EPERM, TAKHIN_FALLBACK_EPERM},
    {ZEROCOPY_EWOULDWAIT, TAKHIN_FALLBACK_WOULD_WAIT},
};
#define REFUSALS (int)(sizeof(refusals) / sizeof(refusals[0]))

/* Whether COUNTERS tell of NTH steps of zero copy and REASON for the rest. */
static void check_counters(takhin_zerocopy_counters_t *counters, int nth,
                           takhin_fallback_t reason)
{
    takhin_zerocopy_counters_t now;
    apr_uint64_t before = (apr_uint64_t)nth * STEP;

    takhin_zerocopy_counters_get(counters, &now);
    CU_ASSERT_EQUAL(now.zero_copy_calls, nth > 0);
    CU_ASSERT_EQUAL(now.zero_copy_bytes, before);
    CU_ASSERT_EQUAL(now.fallback_calls[reason], 1);
    CU_ASSERT_EQUAL(now.fallback_bytes[reason], SIZE - before);
    CU_ASSERT_EQUAL(fallback_calls_of_all(&now), 1);
}

static void refuse_socket(apr_file_t *file, int nth, int which)
{
    takhin_zerocopy_counters_t counters = {0};
    apr_socket_t *sender;
    receiver_t *r = tcp_receiver(0, &sender);
    takhin_destination_t to = takhin_to_socket(sender);
    apr_off_t sent;

    fault_set(nth, refusals[which].status, 0, 0);
    zerocopy_calls = faulty_zero_copy();
    CU_ASSERT_EQUAL(takhin_send_file(&to, file, 0, SIZE, &counters, &sent),
                    APR_SUCCESS);
    zerocopy_calls = &zerocopy_native;
    CU_ASSERT_EQUAL(sent, SIZE);
    CU_ASSERT_EQUAL(fault.calls, nth + 1);
    apr_socket_close(sender);
    receiver_join(r);
    CU_ASSERT(r->matches && r->received == SIZE);
    check_counters(&counters, nth, refusals[which].reason);
}

static void refuse_pipe(apr_file_t *file, int nth, int which)
{
    takhin_zerocopy_counters_t counters = {0};
    apr_file_t *sender;
    receiver_t *r = pipe_receiver(0, &sender);
    takhin_destination_t to = takhin_to_file(sender);
    apr_off_t sent;

    fault_set(nth, refusals[which].status, 0, 0);
    zerocopy_calls = faulty_zero_copy();
    CU_ASSERT_EQUAL(takhin_send_file(&to, file, 0, SIZE, &counters, &sent),
                    APR_SUCCESS);
    zerocopy_calls = &zerocopy_native;
    CU_ASSERT_EQUAL(sent, SIZE);
    CU_ASSERT_EQUAL(fault.calls, nth + 1);
    apr_file_close(sender);
    receiver_join(r);
    CU_ASSERT(r->matches && r->received == SIZE);
    check_counters(&counters, nth, refusals[which].reason);
}

static void refuse_range(apr_file_t *file, int nth, int which)
{
    takhin_zerocopy_counters_t counters = {0};
    apr_file_t *out = file_create(unit_tmpdir(), "out");
    apr_off_t copied;

    fault_set(nth, refusals[which].status, 0, 0);
    zerocopy_calls = faulty_zero_copy();
    CU_ASSERT_EQUAL(
        takhin_copy_file_range(file, 0, out, 100, SIZE, &counters, &copied),
        APR_SUCCESS);
    zerocopy_calls = &zerocopy_native;
    CU_ASSERT_EQUAL(copied, SIZE);
    CU_ASSERT_EQUAL(fault.calls, nth + 1);
    CU_ASSERT(file_matches(out, 100, SIZE, 0));
    check_counters(&counters, nth, refusals[which].reason);
    apr_file_close(out);
}

static void each_refusal(void (*refuse)(apr_file_t *, int, int))
{
    apr_file_t *file = file_with(SIZE);
    int nth, which;

    for (which = 0; which < REFUSALS; which++) {
        for (nth = 0; nth <= 3; nth++) {
            refuse(file, nth, which);
        }
    }
    apr_file_close(file);
}

static void a_refused_socket_call_turns_into_a_copy_at_the_exact_byte(void)
{
    each_refusal(refuse_socket);
}

static void a_refused_pipe_call_turns_into_a_copy_at_the_exact_byte(void)
{
    each_refusal(refuse_pipe);
}

static void a_refused_range_call_turns_into_a_copy_at_the_exact_byte(void)
{
    each_refusal(refuse_range);
}

/* An interruption may come with bytes moved, as on macOS and FreeBSD. */
static void interrupt_socket(apr_file_t *file, int nth, int moves)
{
    takhin_zerocopy_counters_t counters = {0};
    apr_socket_t *sender;
    receiver_t *r = tcp_receiver(0, &sender);
    takhin_destination_t to = takhin_to_socket(sender);
    apr_off_t sent;

    fault_set(nth, APR_EINTR, moves, 0);
    zerocopy_calls = faulty_zero_copy();
    CU_ASSERT_EQUAL(takhin_send_file(&to, file, 0, SIZE, &counters, &sent),
                    APR_SUCCESS);
    zerocopy_calls = &zerocopy_native;
    CU_ASSERT_EQUAL(sent, SIZE);
    apr_socket_close(sender);
    receiver_join(r);
    CU_ASSERT(r->matches && r->received == SIZE);
    CU_ASSERT_EQUAL(counters.zero_copy_bytes, SIZE);
    CU_ASSERT_EQUAL(fallback_calls_of_all(&counters), 0);
}

static void an_interrupted_call_is_repeated(void)
{
    apr_file_t *file = file_with(SIZE);
    apr_off_t copied;
    int nth;

    for (nth = 0; nth < 7; nth++) {
        apr_file_t *out = file_create(unit_tmpdir(), "out");

        interrupt_socket(file, nth, 0);
        interrupt_socket(file, nth, 1);

        fault_set(nth, APR_EINTR, nth % 2, 0);
        zerocopy_calls = faulty_zero_copy();
        CU_ASSERT_EQUAL(
            takhin_copy_file_range(file, 0, out, 0, SIZE, NULL, &copied),
            APR_SUCCESS);
        zerocopy_calls = &zerocopy_native;
        CU_ASSERT_EQUAL(copied, SIZE);
        CU_ASSERT(file_matches(out, 0, SIZE, 0));
        apr_file_close(out);
    }
    apr_file_close(file);
}

/*
 * STATUS from every call in turn, until a send goes through without meeting
 * it: each time exactly what was reported sent has arrived, and the rest, sent
 * from there, makes it whole.
 */
static void stop_and_go_on(apr_status_t status, int moves)
{
    apr_file_t *file = file_with(SIZE);
    int nth, struck = 1;

    for (nth = 0; struck; nth++) {
        apr_socket_t *sender;
        receiver_t *r = tcp_receiver(0, &sender);
        takhin_destination_t to = takhin_to_socket(sender);
        apr_off_t sent, rest = 0;
        apr_status_t first;

        fault_set(nth, status, moves, 0);
        zerocopy_calls = faulty_zero_copy();
        first = takhin_send_file(&to, file, 0, SIZE, NULL, &sent);
        zerocopy_calls = &zerocopy_native;
        struck = fault.calls > nth;
        CU_ASSERT_EQUAL(first, struck ? status : APR_SUCCESS);
        if (struck) {
            CU_ASSERT_EQUAL(sent, least(SIZE, (apr_off_t)(nth + moves) * STEP));
        }
        CU_ASSERT_EQUAL(
            takhin_send_file(&to, file, sent, SIZE - sent, NULL, &rest),
            APR_SUCCESS);
        CU_ASSERT_EQUAL(sent + rest, SIZE);
        apr_socket_close(sender);
        receiver_join(r);
        CU_ASSERT(r->matches && r->received == SIZE);
    }
    CU_ASSERT(nth > 5);
    apr_file_close(file);
}

static void eagain_comes_back_with_the_bytes_so_far(void)
{
    stop_and_go_on(APR_EAGAIN, 0);
    stop_and_go_on(APR_EAGAIN, 1);
}

static void any_other_error_comes_back_with_the_bytes_so_far(void)
{
    stop_and_go_on(APR_FROM_OS_ERROR(EIO), 0);
}

/* The calls below a plain copy: short, interrupted, refusing. */
static apr_status_t faulty_read_at(apr_file_t *file, void *data,
                                   apr_size_t *length, apr_off_t offset)
{
    if (fault_strikes()) {
        *length = 0;
        return fault.status;
    }
    *length = (apr_size_t)least((apr_off_t)*length, STEP);
    return zerocopy_native.read_at(file, data, length, offset);
}

static apr_status_t faulty_write_at(apr_file_t *file, const void *data,
                                    apr_size_t *length, apr_off_t offset)
{
    if (fault_strikes()) {
        *length = 0;
        return fault.status;
    }
    *length = (apr_size_t)least((apr_off_t)*length, 7001);
    return zerocopy_native.write_at(file, data, length, offset);
}

static apr_status_t faulty_write_socket(apr_socket_t *socket, const void *data,
                                        apr_size_t *length)
{
    if (fault_strikes()) {
        *length = 0;
        return fault.status;
    }
    *length = (apr_size_t)least((apr_off_t)*length, 7001);
    return zerocopy_native.write_socket(socket, data, length);
}

static apr_status_t faulty_write_pipe(apr_file_t *pipe, const void *data,
                                      apr_size_t *length)
{
    if (fault_strikes()) {
        *length = 0;
        return fault.status;
    }
    *length = (apr_size_t)least((apr_off_t)*length, 7001);
    return zerocopy_native.write_pipe(pipe, data, length);
}

static const zerocopy_calls_t *faulty_copy(void)
{
    static const zerocopy_calls_t calls = {
        .read_at = faulty_read_at,
        .write_at = faulty_write_at,
        .write_socket = faulty_write_socket,
        .write_pipe = faulty_write_pipe,
    };

    return &calls;
}

/* Sends FILE to TO with a plain copy whose Nth call says STATUS, and goes on
 * as often as it comes back. Returns whether the fault was met. */
static int copy_with_fault(const takhin_destination_t *to, apr_file_t *file,
                           int nth, apr_status_t status)
{
    apr_off_t done = 0, sent;
    apr_status_t got;
    int stops = 0;

    fault_set(nth, status, 0, 0);
    zerocopy_calls = faulty_copy();
    do {
        got = takhin_send_file(to, file, done, SIZE - done, NULL, &sent);
        done += sent;
        stops += got == status;
    } while (got == status);
    zerocopy_calls = &zerocopy_native;
    CU_ASSERT_EQUAL(got, APR_SUCCESS);
    CU_ASSERT_EQUAL(done, SIZE);
    CU_ASSERT_EQUAL(stops, fault.calls > nth && !APR_STATUS_IS_EINTR(status));
    return fault.calls > nth;
}

static void a_copy_survives_a_fault_in_any_call(apr_status_t status)
{
    apr_file_t *file = file_with(SIZE);
    int nth = 0, struck = 1;

    for (; struck; nth++) {
        apr_socket_t *socket;
        apr_file_t *pipe;
        receiver_t *r = tcp_receiver(0, &socket);
        takhin_destination_t to = takhin_to_socket(socket);

        struck = copy_with_fault(&to, file, nth, status);
        apr_socket_close(socket);
        receiver_join(r);
        CU_ASSERT(r->matches && r->received == SIZE);

        r = pipe_receiver(0, &pipe);
        to = takhin_to_file(pipe);
        copy_with_fault(&to, file, nth, status);
        apr_file_close(pipe);
        receiver_join(r);
        CU_ASSERT(r->matches && r->received == SIZE);
    }
    CU_ASSERT(nth > 40);
    apr_file_close(file);
}

static void an_interrupted_copy_is_repeated(void)
{
    a_copy_survives_a_fault_in_any_call(APR_EINTR);
}

static void a_copy_that_finds_no_room_goes_on_at_the_exact_byte(void)
{
    a_copy_survives_a_fault_in_any_call(APR_EAGAIN);
}

static void a_copied_range_that_fails_says_how_far_it_came(void)
{
    apr_file_t *file = file_with(SIZE);
    int nth, struck = 1;

    for (nth = 0; struck; nth++) {
        apr_file_t *out = file_create(unit_tmpdir(), "out");
        apr_off_t copied, rest;
        apr_status_t status;

        fault_set(nth, APR_ENOSPC, 0, 0);
        zerocopy_calls = faulty_copy();
        status = takhin_copy_file_range(file, 0, out, 9, SIZE, NULL, &copied);
        struck = fault.calls > nth;
        CU_ASSERT_EQUAL(status, struck ? APR_ENOSPC : APR_SUCCESS);
        CU_ASSERT_EQUAL(takhin_copy_file_range(file, copied, out, 9 + copied,
                                               SIZE - copied, NULL, &rest),
                        APR_SUCCESS);
        zerocopy_calls = &zerocopy_native;
        CU_ASSERT_EQUAL(copied + rest, SIZE);
        CU_ASSERT(file_matches(out, 9, SIZE, 0));
        apr_file_close(out);
    }
    CU_ASSERT(nth > 40);
    apr_file_close(file);
}

static void a_system_without_calls_copies_everything(void)
{
    apr_file_t *file = file_with(SIZE);
    apr_file_t *out = file_create(unit_tmpdir(), "out");
    takhin_zerocopy_counters_t counters = {0};
    apr_socket_t *sender;
    receiver_t *r = tcp_receiver(0, &sender);
    takhin_destination_t to = takhin_to_socket(sender);
    apr_off_t moved;

    fault_set(-1, APR_SUCCESS, 0, 0);
    zerocopy_calls = faulty_copy();
    ASSERT_OK(takhin_send_file(&to, file, 0, SIZE, &counters, &moved));
    ASSERT_OK(takhin_copy_file_range(file, 0, out, 0, SIZE, &counters, &moved));
    zerocopy_calls = &zerocopy_native;
    apr_socket_close(sender);
    receiver_join(r);
    CU_ASSERT(r->matches && r->received == SIZE);
    CU_ASSERT(file_matches(out, 0, SIZE, 0));
    CU_ASSERT_EQUAL(counters.zero_copy_calls, 0);
    CU_ASSERT_EQUAL(counters.fallback_calls[TAKHIN_FALLBACK_UNSUPPORTED], 2);
    CU_ASSERT_EQUAL(counters.fallback_bytes[TAKHIN_FALLBACK_UNSUPPORTED],
                    2 * SIZE);
    apr_file_close(out);
    apr_file_close(file);
}

static apr_status_t claims_the_end(apr_file_t *from, apr_off_t from_offset,
                                   apr_file_t *to, apr_off_t to_offset,
                                   apr_off_t count, apr_off_t *moved)
{
    if (fault_strikes()) {
        *moved = 0;
        return APR_SUCCESS;
    }
    return zerocopy_native.copy_range(from, from_offset, to, to_offset,
                                      least(count, STEP), moved);
}

static void a_false_end_of_the_source_is_not_believed(void)
{
    zerocopy_calls_t calls = zerocopy_native;
    apr_file_t *file = file_with(SIZE);
    apr_file_t *out = file_create(unit_tmpdir(), "out");
    takhin_zerocopy_counters_t counters = {0};
    apr_off_t copied;

    if (zerocopy_native.copy_range == NULL) {
        unit_skip("no copy_file_range here");
        return;
    }
    calls.copy_range = claims_the_end;
    fault_set(2, APR_SUCCESS, 0, 0);
    zerocopy_calls = &calls;
    ASSERT_OK(
        takhin_copy_file_range(file, 0, out, 0, SIZE, &counters, &copied));
    zerocopy_calls = &zerocopy_native;
    CU_ASSERT_EQUAL(copied, SIZE);
    CU_ASSERT(file_matches(out, 0, SIZE, 0));
    CU_ASSERT_EQUAL(counters.zero_copy_bytes, 2 * STEP);
    CU_ASSERT_EQUAL(counters.fallback_bytes[TAKHIN_FALLBACK_EOPNOTSUPP],
                    SIZE - 2 * STEP);
    apr_file_close(out);
    apr_file_close(file);
}

static void a_copy_by_choice_is_counted_as_such(void)
{
    apr_file_t *file = file_with(SIZE);
    takhin_zerocopy_counters_t counters = {0};
    apr_socket_t *sender;
    receiver_t *r = tcp_receiver(11, &sender);
    takhin_destination_t to = takhin_to_socket(sender);
    apr_off_t sent;

    ASSERT_OK(takhin_send_copy(&to, file, 11, 1000, &counters, &sent));
    ASSERT_OK(takhin_send_copy(&to, file, 1011, 2000, &counters, &sent));
    apr_socket_close(sender);
    receiver_join(r);
    CU_ASSERT(r->matches && r->received == 3000);
    CU_ASSERT_EQUAL(counters.zero_copy_calls, 0);
    CU_ASSERT_EQUAL(counters.fallback_calls[TAKHIN_FALLBACK_CHOICE], 2);
    CU_ASSERT_EQUAL(counters.fallback_bytes[TAKHIN_FALLBACK_CHOICE], 3000);
    apr_file_close(file);
}

static void every_reason_has_a_name_of_its_own(void)
{
    int i, j;

    for (i = 0; i < TAKHIN_FALLBACK_REASONS; i++) {
        for (j = i + 1; j <= TAKHIN_FALLBACK_REASONS; j++) {
            CU_ASSERT_STRING_NOT_EQUAL(
                takhin_fallback_name((takhin_fallback_t)i),
                takhin_fallback_name((takhin_fallback_t)j));
        }
    }
    CU_ASSERT_STRING_EQUAL(takhin_fallback_name(TAKHIN_FALLBACK_REASONS),
                           "unknown");
}

UNIT_MAIN(UNIT_TEST(a_refused_socket_call_turns_into_a_copy_at_the_exact_byte),
          UNIT_TEST(a_refused_pipe_call_turns_into_a_copy_at_the_exact_byte),
          UNIT_TEST(a_refused_range_call_turns_into_a_copy_at_the_exact_byte),
          UNIT_TEST(an_interrupted_call_is_repeated),
          UNIT_TEST(eagain_comes_back_with_the_bytes_so_far),
          UNIT_TEST(any_other_error_comes_back_with_the_bytes_so_far),
          UNIT_TEST(an_interrupted_copy_is_repeated),
          UNIT_TEST(a_copy_that_finds_no_room_goes_on_at_the_exact_byte),
          UNIT_TEST(a_copied_range_that_fails_says_how_far_it_came),
          UNIT_TEST(a_system_without_calls_copies_everything),
          UNIT_TEST(a_false_end_of_the_source_is_not_believed),
          UNIT_TEST(a_copy_by_choice_is_counted_as_such),
          UNIT_TEST(every_reason_has_a_name_of_its_own))
