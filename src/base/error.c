/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words for Takhin's own status codes. It must never allocate: it is
 * called where memory has run out.
 */
#include "base/error.h"

#include <apr_strings.h>

char *takhin_strerror(apr_status_t status, char *buffer, apr_size_t size)
{
    switch (status) {
#define TAKHIN_ERROR_CASE(name, number, text)                               \
    case name:                                                              \
        return apr_cpystrn(buffer, text, size), buffer;
        TAKHIN_ERRORS(TAKHIN_ERROR_CASE)
#undef TAKHIN_ERROR_CASE
    default:
        return apr_strerror(status, buffer, size);
    }
}
