/* SPDX-License-Identifier: Apache-2.0 */
/* Between properties.c and config.c: what a value is once it is parsed. */
#ifndef TAKHIN_BASE_PROPERTIES_H
#define TAKHIN_BASE_PROPERTIES_H

#include "base/config.h"

typedef struct {
    const char *text; /* normalised */
    int64_t number;   /* of whole numbers; 0 or 1 of booleans */
    double real;      /* of a DOUBLE */
} property_value_t;

/* Sets *VALUE from TEXT, in POOL; 0 when PROPERTY does not allow it. */
int property_parse(const property_t *property, const char *text,
                   property_value_t *value, apr_pool_t *pool);

/* Whether NAME is Kafka's, and has no effect on Takhin. */
int property_is_ignored(const char *name);

#endif
