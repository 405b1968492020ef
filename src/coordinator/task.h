/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a coordinator wants a worker to do. The coordinator lies below net, so
 * it is given the function that hands a task to the worker pool.
 */
#ifndef TAKHIN_COORDINATOR_TASK_H
#define TAKHIN_COORDINATOR_TASK_H

/* Embedded in what is to be done; in at most one queue at a time. */
typedef struct coordinator_task_t coordinator_task_t;
struct coordinator_task_t {
    void *room[4];                          /* the worker pool's link */
    void (*run)(coordinator_task_t *task);
};

typedef struct {
    void (*submit)(void *baton, coordinator_task_t *task); /* any thread */
    void *baton;
} coordinator_workers_t;

#endif
