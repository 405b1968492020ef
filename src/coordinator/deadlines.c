/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap whose entries know their place. */
#include "coordinator/deadlines.h"

#include "coordinator/memory.h"

static void put(deadlines_t *deadlines, size_t place, deadline_t *deadline)
{
    deadlines->heap[place - 1] = deadline;
    deadline->place = place;
}

static void rise(deadlines_t *deadlines, size_t place, deadline_t *deadline)
{
    while (place > 1 && deadlines->heap[place / 2 - 1]->at > deadline->at) {
        put(deadlines, place, deadlines->heap[place / 2 - 1]);
        place /= 2;
    }
    put(deadlines, place, deadline);
}

static void sink(deadlines_t *deadlines, size_t place, deadline_t *deadline)
{
    while (2 * place <= deadlines->count) {
        size_t child = 2 * place;

        if (child < deadlines->count &&
            deadlines->heap[child]->at < deadlines->heap[child - 1]->at)
            child++;
        if (deadlines->heap[child - 1]->at >= deadline->at)
            break;
        put(deadlines, place, deadlines->heap[child - 1]);
        place = child;
    }
    put(deadlines, place, deadline);
}

void deadlines_clear(deadlines_t *deadlines, deadline_t *deadline)
{
    size_t place = deadline->place;
    deadline_t *last;

    if (place == 0)
        return;
    TAKHIN_ASSERT(deadlines->heap[place - 1] == deadline);
    last = deadlines->heap[--deadlines->count];
    deadline->place = 0;
    if (last == deadline)
        return;
    if (last->at < deadline->at)
        rise(deadlines, place, last);
    else
        sink(deadlines, place, last);
}

void deadlines_set(deadlines_t *deadlines, deadline_t *deadline, apr_time_t at)
{
    deadlines_clear(deadlines, deadline);
    if (deadlines->count == deadlines->capacity) {
        deadlines->capacity =
            deadlines->capacity ? 2 * deadlines->capacity : 16;
        deadlines->heap = memory_resize(
            deadlines->heap, deadlines->capacity * sizeof *deadlines->heap);
    }
    deadline->at = at;
    rise(deadlines, ++deadlines->count, deadline);
}

void deadlines_run(deadlines_t *deadlines, apr_time_t now)
{
    while (deadlines->count > 0 && deadlines->heap[0]->at <= now) {
        deadline_t *due = deadlines->heap[0];

        deadlines_clear(deadlines, due);
        due->passed(due);
    }
}

apr_time_t deadlines_next(const deadlines_t *deadlines)
{
    return deadlines->count > 0 ? deadlines->heap[0]->at : -1;
}

void deadlines_free(deadlines_t *deadlines)
{
    for (size_t i = 0; i < deadlines->count; i++)
        deadlines->heap[i]->place = 0;
    free(deadlines->heap);
    memset(deadlines, 0, sizeof *deadlines);
}
