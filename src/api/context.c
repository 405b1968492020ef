/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the broker's own description. */
#include "api/context.h"

#include <string.h>

const api_endpoint_t *broker_endpoint(const broker_t *broker,
                                      const char *listener)
{
    for (int i = 0; i < broker->endpoint_count; i++)
        if (!strcmp(broker->endpoints[i].name, listener))
            return &broker->endpoints[i];
    return &broker->endpoints[0];
}
