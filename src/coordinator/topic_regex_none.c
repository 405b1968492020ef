/* SPDX-License-Identifier: Apache-2.0 */
/* A build without PCRE2 has no subscriptions by regular expression. */
#include "coordinator/topic_regex.h"

topic_regex_t *topic_regex_compile(wire_string_t text, const char **error,
                                   apr_pool_t *pool)
{
    (void)text;
    (void)pool;
    *error = "this broker is built without regular expressions (PCRE2)";
    return NULL;
}

void topic_regex_free(topic_regex_t *regex)
{
    (void)regex;
}

int topic_regex_matches(topic_regex_t *regex, const char *name,
                        apr_size_t length)
{
    (void)regex;
    (void)name;
    (void)length;
    return 0;
}
