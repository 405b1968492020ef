/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of what this broker serves: which keys, which versions, who
 * handles them. ApiVersions is answered from it, so nothing is advertised that
 * has no handler.
 */
#ifndef TAKHIN_API_TABLE_H
#define TAKHIN_API_TABLE_H

#include "api/request.h"

struct api_row_t {
    int16_t key;
    int16_t min_version;          /* served */
    int16_t max_version;
    int16_t advertised_min;       /* Produce says 0: older librdkafka decides
                                     from the range whether it may compress */
    const char *name;
    void (*handle)(request_t *request); /* replies now or later */
};

/* The row of KEY, or NULL when it is not served. */
const api_row_t *api_row(int16_t key);

/* All rows, in the order of their keys. */
const api_row_t *api_rows(int *count);

#endif
