/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of statuses. It must not allocate. */
#include "base/errors.h"

#include <apr_strings.h>

static const char *const texts[] = {
#define ERRORS_TEXT(name, text) text,
    ERRORS_TABLE(ERRORS_TEXT)
#undef ERRORS_TEXT
};

char *error_text(apr_status_t status, char *buffer, apr_size_t size)
{
    if (status <= TAKHIN_ERRORS_BEFORE || status >= TAKHIN_ERRORS_AFTER)
        return apr_strerror(status, buffer, size);
    apr_cpystrn(buffer, texts[status - TAKHIN_ERRORS_BEFORE - 1], size);
    return buffer;
}
