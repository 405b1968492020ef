/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zerocopy_bench on Unix. It puts a counting malloc before the C library's, so
 * that what is said about allocations is measured.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif

#include <apr_portable.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "zerocopy_bench.h"

static apr_uint64_t allocations, allocated;

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);

/* dlsym may itself allocate before it has found the functions: from here. */
static _Alignas(16) char early[64 * 1024];
static size_t early_used;

static void *early_take(size_t size)
{
    void *taken = early + early_used;

    early_used += (size + 15) & ~(size_t)15;
    if (early_used > sizeof(early)) {
        abort();
    }
    return taken;
}

static int is_early(const void *memory)
{
    return (const char *)memory >= early &&
           (const char *)memory < early + sizeof(early);
}

/* Finds the functions once; returns 0 while that is under way. The first call
 * comes before any thread is started. */
static int ready(void)
{
    static int state; /* 0 new, 1 under way, 2 done */

    if (state == 0) {
        state = 1;
        *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
        *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
        *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
        *(void **)&next_free = dlsym(RTLD_NEXT, "free");
        state = 2;
    }
    return state == 2;
}

static void count(size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&allocated, size, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
    if (!ready()) {
        return early_take(size);
    }
    count(size);
    return next_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    if (!ready()) {
        return early_take(number * size); /* static memory is zero */
    }
    count(number * size);
    return next_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
    if (!ready() || is_early(memory)) {
        size_t most = (size_t)(early + sizeof(early) - (char *)memory);
        void *moved = malloc(size);

        return memory ? memcpy(moved, memory, size < most ? size : most)
                      : moved;
    }
    count(size);
    return next_realloc(memory, size);
}

void free(void *memory)
{
    if (!is_early(memory) && ready()) {
        next_free(memory);
    }
}

int bench_allocations(apr_uint64_t *calls, apr_uint64_t *bytes)
{
    *calls = __atomic_load_n(&allocations, __ATOMIC_RELAXED);
    *bytes = __atomic_load_n(&allocated, __ATOMIC_RELAXED);
    return 1;
}

double bench_cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

apr_size_t bench_discard(apr_socket_t *socket)
{
    static char waste[1024 * 1024];
    apr_os_sock_t fd;
    ssize_t n;

    apr_os_sock_get(&fd, socket);
    n = recv(fd, waste, sizeof(waste), MSG_TRUNC);
    return n > 0 ? (apr_size_t)n : 0;
}
