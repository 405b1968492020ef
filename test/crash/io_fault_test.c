/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nth operation of the file system fails, for each N until none is left,
 * in each part of a broker's life: with EIO, once or from then on; with ENOSPC,
 * once or until there is space again; with EINTR; or it moves less than it was
 * asked to. What was acknowledged all the same must be there afterwards, also
 * when the power is cut then; where there was no space, produce goes on when
 * there is.
 *
 * CRASH_STRIDE 1 tries every N; the suite one in so many.
 */
#include <errno.h>

#include "workload.h"

#define OP(op) (1 << (op))

enum {
    CHANGES = OP(FS_WRITE) | OP(FS_TRUNCATE) | OP(FS_RENAME) | OP(FS_REMOVE) |
              OP(FS_MKDIR) | OP(FS_REMOVE_DIR) | OP(FS_ALLOCATE),
    FLUSHES = OP(FS_SYNC) | OP(FS_SYNC_DIR),
    LOOKS = OP(FS_OPEN) | OP(FS_READ) | OP(FS_LIST) | OP(FS_STAT)
};

typedef struct {
    const char *name;
    int ops;
    apr_status_t status;
    int stays;
} fault_t;

static const fault_t faults[] = {
    {"EIO", CHANGES | FLUSHES | LOOKS, EIO, 0},
    {"EIO from then on", CHANGES | FLUSHES | LOOKS, EIO, 1},
    {"ENOSPC", CHANGES | OP(FS_OPEN), ENOSPC, 0},
    {"ENOSPC from then on", CHANGES | OP(FS_OPEN), ENOSPC, 1},
    {"EINTR", OP(FS_READ) | OP(FS_WRITE) | OP(FS_OPEN), EINTR, 0},
    {"a short transfer", OP(FS_READ) | OP(FS_WRITE), APR_SUCCESS, 0},
};

/* ---- parts of a life --------------------------------------------------------- */

/* What is there before: topics with some of everything. */
static void prepare(run_t *run)
{
    step_start(run);
    step_create(run, "plain", 2);
    step_produce(run, "plain", 2, 8);
    step_abort(run, "plain", 0, 2, 1);
    step_create(run, "kept", 1);
    step_produce(run, "kept", 1, 8);
    step_flush(run, "plain", 0);
}

static void start_anew(run_t *run)
{
    step_start(run);
    step_create(run, "plain", 1);
}

static void start_after_a_kill(run_t *run)
{
    step_start(run);
    step_produce(run, "plain", 2, 3);
}

static void produce_and_roll(run_t *run)
{
    step_produce(run, "plain", 2, 12);
    step_abort(run, "plain", 1, 1, 1);
    step_flush(run, "plain", 1);
}

static void change_topics(run_t *run)
{
    step_grow(run, "plain", 3);
    step_delete(run, "kept");
    step_create(run, "kept", 1);
    step_append(run, "kept", 0, 2, 1);
    step_flush(run, "kept", 0);
    step_snapshot(run);
}

static void retain_and_delete(run_t *run)
{
    step_produce(run, "kept", 1, 8);
    step_retain(run, "kept", 0);
    step_delete_records(run, "plain", 0, 5);
    step_checkpoint(run);
}

static void compact(run_t *run)
{
    step_compact(run);
    step_append(run, "compact", 0, 1, 0);
    step_flush(run, "compact", 0);
}

static void stop_cleanly(run_t *run)
{
    step_append(run, "plain", 0, 2, 1);
    step_stop(run, 1);
}

typedef struct {
    const char *name;
    void (*run)(run_t *run);
    int killed;                /* begins with a killed one's files */
    int anew;                  /* begins with nothing */
    int compacted;
} part_t;

/* ---- one fault ------------------------------------------------------------------ */

typedef struct {
    int faults;
    int states;
    int failed;
} figures_t;

static figures_t figures;

static void complain(const part_t *part, const fault_t *fault, int64_t n,
                     const run_t *run, const char *what, const char *error)
{
    static const char *const names[] = {
        "open", "read", "write", "truncate", "sync", "sync-dir", "rename",
        "remove", "mkdir", "remove-dir", "list", "stat", "allocate"};

    if (figures.failed++ < 10)
        printf("# %s, %s at call %lld (%s), %s: %s\n", part->name,
               fault->name, (long long)n, names[run->disk.fault_op], what,
               error);
    fflush(stdout);
}

/* The state that is there in MODE must keep what was promised. */
static void check_mode(const part_t *part, const fault_t *fault, int64_t n,
                       const run_t *run, const disk_state_t *state,
                       disk_mode_t mode)
{
    static const char *const modes[] = {"the power was cut", "killed",
                                        "the power was cut half way"};
    const char *path = apr_pstrcat(unit_pool(), run->root, "-cut", NULL);
    const char *error;

    disk_state_make(state, mode, path);
    figures.states++;
    error = station_check(&run->history, run_now(run),
                          apr_pstrcat(unit_pool(), path, "/logs", NULL),
                          figures.states % 5 == 0);
    if (error != NULL)
        complain(part, fault, n, run, modes[mode], error);
    if (error != NULL && getenv("CRASH_KEEP") != NULL)
        exit(1);
    unit_remove(path);
}

static void check_run(const part_t *part, const fault_t *fault, int64_t n,
                      run_t *run)
{
    disk_state_t state;
    int i;

    if (run->broken != NULL)
        complain(part, fault, n, run, "while it ran", run->broken);
    disk_detach();
    disk_state_begin(&state);
    for (i = 0; i < run->disk.count; i++)
        disk_state_apply(&state, &run->disk.events[i]);
    check_mode(part, fault, n, run, &state, DISK_FLUSHED);
    check_mode(part, fault, n, run, &state, DISK_CURRENT);
    check_mode(part, fault, n, run, &state, DISK_ANY);
    disk_state_end(&state);
}

/* When there is space again, produce goes on by itself. A log that could not
 * be opened for want of space is offline until the next start. */
static void go_on(const part_t *part, const fault_t *fault, int64_t n,
                  run_t *run)
{
    int before = run->failures;

    if (!run->up || part->anew || part->killed ||
        !log_dir_online(run->station.dir))
        return;
    step_append(run, "plain", 0, 1, 1);
    step_flush(run, "plain", 0);
    if (run->failures > before)
        complain(part, fault, n, run, "there is space again",
                 "but no record is taken");
}

/* Returns whether the Nth call came. */
static int try_fault(const part_t *part, const fault_t *fault, int64_t n)
{
    uint64_t seed = disk_seed;
    int came;
    run_t run;

    disk_seed = 12345; /* the same life each time */
    run_begin(&run);
    if (!part->anew)
        prepare(&run);
    if (part->compacted) {
        step_create(&run, "compact", 1);
        step_produce(&run, "compact", 1, 10);
        step_flush(&run, "compact", 0);
    }
    if (part->killed)
        step_stop(&run, 0);
    CU_ASSERT_EQUAL(run.failures, 0);
    run.disk.fault_ops = fault->ops;
    run.disk.fault_status = fault->status;
    run.disk.fault_stays = fault->stays;
    run.disk.fault_at = n;
    part->run(&run);
    run.disk.fault_at = -1;
    came = run.disk.faults > 0;
    disk_seed = seed;
    if (came) {
        figures.faults++;
        if (fault->status == ENOSPC)
            go_on(part, fault, n, &run);
        if (fault->status == APR_SUCCESS && run.failures > 0)
            complain(part, fault, n, &run, "while it ran", "a step failed");
        step_stop(&run, 0);
        check_run(part, fault, n, &run);
    }
    run_end(&run);
    unit_remove(run.root);
    return came;
}

static void try_part(const part_t *part)
{
    int stride = setting("CRASH_STRIDE", 2);
    unsigned i;

    disk_seed = (uint64_t)setting("CRASH_SEED", 1) * 2 + 1;
    if (getenv("CRASH_VERBOSE") == NULL)
        logger_set_sink(quiet, NULL);
    memset(&figures, 0, sizeof(figures));
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        int64_t n = (int64_t)(disk_random() % (uint64_t)stride);

        while (try_fault(part, &faults[i], n))
            n += stride;
    }
    printf("# seed %d: %d faults, %d states\n", setting("CRASH_SEED", 1),
           figures.faults, figures.states);
    CU_ASSERT(figures.faults > 0);
    CU_ASSERT_EQUAL(figures.failed, 0);
}

#define PART(function, ...)                                                \
    static void faults_in_##function(void)                                 \
    {                                                                      \
        static const part_t part = {#function, function, __VA_ARGS__};     \
                                                                           \
        try_part(&part);                                                   \
    }

PART(start_anew, 0, 1, 0)
PART(start_after_a_kill, 1, 0, 0)
PART(produce_and_roll, 0, 0, 0)
PART(change_topics, 0, 0, 0)
PART(retain_and_delete, 0, 0, 0)
PART(compact, 0, 0, 1)
PART(stop_cleanly, 0, 0, 0)

UNIT_MAIN(UNIT_TEST(faults_in_start_anew),
          UNIT_TEST(faults_in_start_after_a_kill),
          UNIT_TEST(faults_in_produce_and_roll),
          UNIT_TEST(faults_in_change_topics),
          UNIT_TEST(faults_in_retain_and_delete),
          UNIT_TEST(faults_in_compact),
          UNIT_TEST(faults_in_stop_cleanly))
