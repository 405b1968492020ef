/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas as data, for tools that print a message without knowing its
 * struct. The tables are generated, and only for what stands in logs: records
 * of the metadata log, of the coordinators' logs, and control records.
 */
#ifndef TAKHIN_PROTOCOL_FIELDS_H
#define TAKHIN_PROTOCOL_FIELDS_H

#include "protocol/wire.h"

typedef enum {
    WIRE_BOOL,
    WIRE_INT8,
    WIRE_INT16,
    WIRE_UINT16,
    WIRE_INT32,
    WIRE_UINT32,
    WIRE_INT64,
    WIRE_FLOAT64,
    WIRE_UUID,
    WIRE_STRING,
    WIRE_BYTES,
    WIRE_RECORDS,
    WIRE_STRUCT
} wire_type_t;

/* Versions are ranges; empty ones end below their beginning. */
typedef struct wire_field_t {
    const char *name; /* NULL behind the last */
    wire_type_t type; /* of an array's elements */
    bool array;
    int16_t min, max;
    int16_t nullable_min, nullable_max;
    int16_t tag;                       /* -1: none */
    const struct wire_field_t *fields; /* of a struct */
} wire_field_t;

/* The fields of TYPE in their order, or NULL where no table was made. */
const wire_field_t *wire_fields(const wire_message_t *type);

#endif
