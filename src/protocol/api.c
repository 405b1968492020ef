/* SPDX-License-Identifier: Apache-2.0 */
/* What api.h promises beside the generated tables. */
#include "protocol/api.h"

#include <stdlib.h>

#include "protocol/messages.h"

enum { API_VERSIONS = 18 };

const char *protocol_api_name(int16_t key)
{
    const protocol_api_t *api = protocol_api(key);
    return api != NULL ? api->name : "unknown";
}

static int compare_name(const void *name, const void *message)
{
    return strcmp(name, (*(const wire_message_t *const *)message)->name);
}

const wire_message_t *protocol_message(const char *name)
{
    int count;
    const wire_message_t *const *all = protocol_messages(&count);
    const wire_message_t *const *found =
        bsearch(name, all, (size_t)count, sizeof(*all), compare_name);
    return found != NULL ? *found : NULL;
}

static bool is_flexible(int16_t key, int16_t version)
{
    const protocol_api_t *api = protocol_api(key);
    return api != NULL && version >= api->flexible;
}

int16_t protocol_request_header_version(int16_t key, int16_t version)
{
    return is_flexible(key, version) ? 2 : 1;
}

int16_t protocol_response_header_version(int16_t key, int16_t version)
{
    return is_flexible(key, version) && key != API_VERSIONS ? 1 : 0;
}

apr_status_t protocol_request_header_decode(request_header_t *header,
                                            wire_reader_t *in)
{
    int16_t version = 1;
    if (wire_left(in) >= 4)
        version = protocol_request_header_version(bytes_get_i16(in->p),
                                                  bytes_get_i16(in->p + 2));
    return request_header_decode(header, in, version);
}
