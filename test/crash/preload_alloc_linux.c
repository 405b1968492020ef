/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded before a program, makes one of its allocations fail. Which one stands
 * in the file $FAIL_ALLOC, four 64-bit numbers that the test may change at any
 * time: how many allocations are left until one fails (0: none does), how
 * many there were, how many failed, and whether all behind it fail, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

typedef struct {
    int64_t left;
    int64_t calls;
    int64_t failed;
    int64_t stays;
} orders_t;

static orders_t *orders;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAIL_ALLOC");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, sizeof(orders_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
               0);
    close(fd);
    if (map != MAP_FAILED)
        orders = map;
}

static int fails(void)
{
    int64_t left;

    if (orders == NULL)
        return 0;
    __atomic_add_fetch(&orders->calls, 1, __ATOMIC_RELAXED);
    left = __atomic_load_n(&orders->left, __ATOMIC_RELAXED);
    if (left <= 0)
        return 0;
    left = __atomic_sub_fetch(&orders->left, 1, __ATOMIC_RELAXED);
    if (left > 0)
        return 0;
    if (left < 0 || orders->stays) /* another thread had it; or all do */
        __atomic_store_n(&orders->left, orders->stays ? 1 : 0,
                         __ATOMIC_RELAXED);
    if (left < 0 && !orders->stays)
        return 0;
    __atomic_add_fetch(&orders->failed, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
