/* SPDX-License-Identifier: Apache-2.0 */
/* How a broken invariant ends the process. It must not allocate or lock. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *file, int line, const char *function,
                   const char *expression)
{
    char text[512];
    int length = snprintf(text, sizeof text, "%s:%d: %s: broken: %s\n", file,
                          line, function, expression);

    if (length > (int)sizeof text - 1)
        length = (int)sizeof text - 1;
    if (length > 0)
        fwrite(text, 1, (size_t)length, stderr);
    abort();
}
