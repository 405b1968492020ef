/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for topic names, which are also directory names. */
#include "api/topic_name.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

enum { TOPIC_NAME_MAX = 249 }; /* with "-partition" and ".delete" a file name */

const char *topic_name_error(const char *name, apr_size_t length,
                             apr_pool_t *pool)
{
    if (length == 0)
        return "the topic name is empty";
    if ((length == 1 && name[0] == '.') ||
        (length == 2 && name[0] == '.' && name[1] == '.'))
        return "a topic name cannot be \".\" or \"..\"";
    if (length > TOPIC_NAME_MAX)
        return apr_psprintf(pool,
                            "the topic name has %" APR_SIZE_T_FMT
                            " characters, and %d are allowed",
                            length, TOPIC_NAME_MAX);
    for (apr_size_t i = 0; i < length; i++)
        if (!name[i] || (!apr_isalnum(name[i]) && !strchr("._-", name[i])))
            return apr_psprintf(pool,
                                "character %" APR_SIZE_T_FMT
                                " of the topic name is none of letters, "
                                "digits, '.', '_' and '-'",
                                i + 1);
    return NULL;
}

int topic_name_is_internal(const char *name, apr_size_t length)
{
    static const char *const internal[] = {
        "__consumer_offsets", "__transaction_state", "__share_group_state"
    };

    for (size_t i = 0; i < sizeof internal / sizeof internal[0]; i++)
        if (strlen(internal[i]) == length && !memcmp(internal[i], name, length))
            return 1;
    return 0;
}

int topic_name_is_metadata(const char *name, apr_size_t length)
{
    static const char metadata[] = "__cluster_metadata";

    return length == sizeof metadata - 1 && !memcmp(name, metadata, length);
}
