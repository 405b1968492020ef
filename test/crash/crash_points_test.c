/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker's life is recorded on the simulated disk; then the power is cut
 * behind each of its operations, in turn. Of what was not flushed at that moment
 * nothing is there, everything, or any part of it. Each state is started, and
 * must keep what was promised before.
 *
 * CRASH_SEED chooses the life and the parts, CRASH_ROUNDS how many lives,
 * CRASH_SAMPLES how many random states there are for each crash point.
 */
#include "workload.h"

typedef struct {
    int lives;
    int points;
    int states;
    int restarts;              /* states that were stopped and started again */
    int nested;                /* points in a second life behind a crash */
    int failed;
} figures_t;

static figures_t figures;
static uint64_t first_seed;

static void check_state(const run_t *run, const disk_state_t *state, int at,
                        disk_mode_t mode, const char *path)
{
    static const char *const modes[] = {"only what was flushed", "everything",
                                        "a part"};
    const char *logs = apr_pstrcat(unit_pool(), path, "/logs", NULL);
    uint64_t seed = disk_seed;
    const char *error;
    char text[512];

    disk_state_make(state, mode, path);
    figures.states++;
    figures.restarts += figures.states % 4 == 0;
    error = station_check(&run->history, at, logs, figures.states % 4 == 0);
    if (error != NULL && figures.failed++ < 10) {
        printf("# seed %llu, behind operation %d of %d (%s), %s is there "
               "(state %llu): %s\n", (unsigned long long)first_seed, at,
               run->disk.count,
               at > 0 ? disk_event_text(&run->disk.events[at - 1], text,
                                        sizeof(text)) : "start",
               modes[mode], (unsigned long long)seed, error);
        fflush(stdout);
        if (getenv("CRASH_KEEP") != NULL)
            exit(1); /* the state stays where it is */
    }
    unit_remove(path);
}

/* Every crash point of RUN from FROM on, SAMPLES random states each. */
static void cut_everywhere(const run_t *run, int from, int samples)
{
    const char *path = apr_pstrcat(unit_pool(), run->root, "-cut", NULL);
    disk_state_t state;
    int i, j;

    disk_state_begin(&state);
    for (i = 0; i <= run->disk.count; i++) {
        fs_op_t op = FS_SYNC;

        if (i > 0) {
            op = run->disk.events[i - 1].op;
            disk_state_apply(&state, &run->disk.events[i - 1]);
        }
        if (i < from)
            continue;
        figures.points++;
        /* Other operations change nothing of it. */
        if (op == FS_SYNC || op == FS_SYNC_DIR)
            check_state(run, &state, i, DISK_FLUSHED, path);
        if (state.pending == 0)
            continue;
        check_state(run, &state, i, DISK_CURRENT, path);
        for (j = 0; j < samples; j++)
            check_state(run, &state, i, DISK_ANY, path);
    }
    disk_state_end(&state);
}

static void begin(uint64_t seed)
{
    first_seed = disk_seed = seed * 2 + 1;
    if (getenv("CRASH_VERBOSE") == NULL)
        logger_set_sink(quiet, NULL);
}

static void every_crash_point_of_a_life_is_survived(void)
{
    int rounds = setting("CRASH_ROUNDS", 1), i;

    for (i = 0; i < rounds; i++) {
        run_t run;

        begin((uint64_t)(setting("CRASH_SEED", 1) + i));
        run_begin(&run);
        run_life(&run);
        disk_detach();
        CU_ASSERT_EQUAL(run.failures, 0);
        CU_ASSERT_PTR_NULL(run.broken);
        cut_everywhere(&run, 0, setting("CRASH_SAMPLES", 2));
        figures.lives++;
        run_end(&run);
    }
    printf("# seed %d: %d crash points in %d lives, %d states, %d of them "
           "stopped and started again\n", setting("CRASH_SEED", 1),
           figures.points, figures.lives, figures.states, figures.restarts);
    CU_ASSERT_EQUAL(figures.failed, 0);
}

UNIT_MAIN(UNIT_TEST(every_crash_point_of_a_life_is_survived))
