/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zero-copy package's counters: independent atomic numbers in a struct of
 * the caller's. Never a lock, and never a number of the process.
 */
#include <apr_atomic.h>

#include "zerocopy/zerocopy_internal.h"

void zerocopy_count_zero_copy(takhin_zerocopy_counters_t *counters,
                              apr_off_t bytes)
{
    if (counters == NULL) {
        return;
    }
    apr_atomic_inc64(&counters->zero_copy_calls);
    apr_atomic_add64(&counters->zero_copy_bytes, (apr_uint64_t)bytes);
}

void zerocopy_count_fallback(takhin_zerocopy_counters_t *counters,
                             takhin_fallback_t reason, apr_off_t bytes)
{
    if (counters == NULL) {
        return;
    }
    apr_atomic_inc64(&counters->fallback_calls[reason]);
    apr_atomic_add64(&counters->fallback_bytes[reason], (apr_uint64_t)bytes);
}

void takhin_zerocopy_counters_get(takhin_zerocopy_counters_t *counters,
                                  takhin_zerocopy_counters_t *snapshot)
{
    int i;

    snapshot->zero_copy_calls = apr_atomic_read64(&counters->zero_copy_calls);
    snapshot->zero_copy_bytes = apr_atomic_read64(&counters->zero_copy_bytes);
    for (i = 0; i < TAKHIN_FALLBACK_REASONS; i++) {
        snapshot->fallback_calls[i] =
            apr_atomic_read64(&counters->fallback_calls[i]);
        snapshot->fallback_bytes[i] =
            apr_atomic_read64(&counters->fallback_bytes[i]);
    }
}

const char *takhin_fallback_name(takhin_fallback_t reason)
{
    switch (reason) {
    case TAKHIN_FALLBACK_UNSUPPORTED:
        return "unsupported";
    case TAKHIN_FALLBACK_ENOSYS:
        return "enosys";
    case TAKHIN_FALLBACK_EINVAL:
        return "einval";
    case TAKHIN_FALLBACK_EXDEV:
        return "exdev";
    case TAKHIN_FALLBACK_EOPNOTSUPP:
        return "eopnotsupp";
    case TAKHIN_FALLBACK_EPERM:
        return "eperm";
    case TAKHIN_FALLBACK_WOULD_WAIT:
        return "would_wait";
    case TAKHIN_FALLBACK_CHOICE:
        return "choice";
    case TAKHIN_FALLBACK_REASONS:
        break;
    }
    return "unknown";
}
