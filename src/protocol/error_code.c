/* SPDX-License-Identifier: Apache-2.0 */
/* See error_code.h. */
#include "protocol/error_code.h"

typedef struct error_row_t {
    const char *name;
    const char *text;
    bool retriable;
} error_row_t;

/* Code -1 is row 0. */
static const error_row_t rows[] = {
#define ERROR_ROW(code, name, retriable, text) \
    [(code) + 1] = {#name, text, retriable},
    KAFKA_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

static const error_row_t *row(int16_t code)
{
    return code >= -1 && code < KAFKA_ERROR_END_ ? &rows[code + 1] : &rows[0];
}

const char *kafka_error_name(int16_t code)
{
    return row(code)->name;
}

const char *kafka_error_text(int16_t code)
{
    return row(code)->text;
}

bool kafka_error_retriable(int16_t code)
{
    return row(code)->retriable;
}
