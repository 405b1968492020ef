/* SPDX-License-Identifier: Apache-2.0 */
/* The end for want of memory. It must not allocate. */
#include "base/out_of_memory.h"

#include <stdio.h>
#include <stdlib.h>

int out_of_memory(int status)
{
    (void)status;
    fputs("takhind: out of memory\n", stderr);
    _Exit(OUT_OF_MEMORY_EXIT);
}
