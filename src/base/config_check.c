/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values with a syntax of their own: listeners, addresses, maps. Nothing here
 * resolves a name or touches a file.
 */
#include "base/config_check.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

apr_array_header_t *config_split(const char *list, apr_pool_t *pool)
{
    apr_array_header_t *entries = apr_array_make(pool, 4, sizeof(char *));
    const char *end;

    while (apr_isspace(*list))
        list++;
    if (!*list)
        return entries;
    for (;; list = end + 1) {
        const char *last;

        end = list + strcspn(list, ",");
        while (list < end && apr_isspace(*list))
            list++;
        for (last = end; last > list && apr_isspace(last[-1]); last--)
            ;
        APR_ARRAY_PUSH(entries, const char *) =
            apr_pstrmemdup(pool, list, (apr_size_t)(last - list));
        if (!*end)
            return entries;
    }
}

/* A whole number from 0 to MAX, or -1. */
static int64_t parse_number(const char *text, int64_t max)
{
    int64_t number = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (!apr_isdigit(*text))
            return -1;
        number = number * 10 + (*text - '0');
        if (number > max)
            return -1;
    }
    return number;
}

/* Splits "HOST:PORT" or "[IPV6]:PORT". */
static int parse_host_port(const char *text, const char **host, int *port,
                           apr_pool_t *pool)
{
    const char *colon = strrchr(text, ':');
    apr_size_t length;

    if (!colon || (*port = (int)parse_number(colon + 1, 65535)) < 0)
        return 0;
    length = (apr_size_t)(colon - text);
    if (length >= 2 && text[0] == '[' && colon[-1] == ']') {
        *host = apr_pstrmemdup(pool, text + 1, length - 2);
        return 1;
    }
    *host = apr_pstrmemdup(pool, text, length);
    return strpbrk(*host, ":[]/@ ") == NULL;
}

static int is_listener_name(const char *name)
{
    if (!*name)
        return 0;
    for (; *name; name++)
        if (!apr_isalnum(*name) && *name != '_' && *name != '-' &&
            *name != '.')
            return 0;
    return 1;
}

static char *upper(const char *text, apr_size_t length, apr_pool_t *pool)
{
    char *copy = apr_pstrmemdup(pool, text, length);

    for (char *c = copy; *c; c++)
        *c = (char)apr_toupper(*c);
    return copy;
}

apr_status_t config_parse_listeners(apr_array_header_t **listeners,
                                    const char *text, apr_pool_t *pool)
{
    apr_array_header_t *entries = config_split(text, pool);

    *listeners = apr_array_make(pool, entries->nelts,
                                sizeof(config_listener_t));
    for (int i = 0; i < entries->nelts; i++) {
        const char *entry = APR_ARRAY_IDX(entries, i, const char *);
        const char *mark = strstr(entry, "://");
        config_listener_t listener;

        if (!mark)
            return TAKHIN_ECONFIG;
        listener.name = upper(entry, (apr_size_t)(mark - entry), pool);
        if (!is_listener_name(listener.name) ||
            !parse_host_port(mark + 3, &listener.host, &listener.port, pool))
            return TAKHIN_ECONFIG;
        for (int k = 0; k < i; k++)
            if (!strcmp(APR_ARRAY_IDX(*listeners, k, config_listener_t).name,
                        listener.name))
                return TAKHIN_ECONFIG;
        APR_ARRAY_PUSH(*listeners, config_listener_t) = listener;
    }
    return entries->nelts ? APR_SUCCESS : TAKHIN_ECONFIG;
}

static int is_listeners(const char *value, apr_pool_t *scratch)
{
    apr_array_header_t *listeners;

    return !config_parse_listeners(&listeners, value, scratch);
}

/* Applies IS_ENTRY to each entry of the list VALUE. */
static int all(const char *value, apr_pool_t *scratch,
               int (*is_entry)(const char *entry, apr_pool_t *scratch))
{
    apr_array_header_t *entries = config_split(value, scratch);

    for (int i = 0; i < entries->nelts; i++)
        if (!is_entry(APR_ARRAY_IDX(entries, i, const char *), scratch))
            return 0;
    return 1;
}

static int is_host_port(const char *entry, apr_pool_t *scratch)
{
    const char *host;
    int port;

    return parse_host_port(entry, &host, &port, scratch);
}

static int is_host_ports(const char *value, apr_pool_t *scratch)
{
    return all(value, scratch, is_host_port);
}

static int is_voter(const char *entry, apr_pool_t *scratch)
{
    const char *at = strchr(entry, '@');

    return at &&
           parse_number(apr_pstrmemdup(scratch, entry,
                                       (apr_size_t)(at - entry)),
                        INT32_MAX) >= 0 &&
           is_host_port(at + 1, scratch);
}

static int is_voters(const char *value, apr_pool_t *scratch)
{
    return all(value, scratch, is_voter);
}

static int is_mapping(const char *entry, apr_pool_t *scratch)
{
    static const char *const protocols[] = {"PLAINTEXT", "SSL",
                                            "SASL_PLAINTEXT", "SASL_SSL"};
    const char *colon = strchr(entry, ':');

    if (!colon || !is_listener_name(apr_pstrmemdup(
                      scratch, entry, (apr_size_t)(colon - entry))))
        return 0;
    for (int i = 0; i < 4; i++)
        if (!apr_cstr_casecmp(colon + 1, protocols[i]))
            return 1;
    return 0;
}

static int is_protocol_map(const char *value, apr_pool_t *scratch)
{
    return all(value, scratch, is_mapping);
}

static int is_ip_limit(const char *entry, apr_pool_t *scratch)
{
    const char *colon = strrchr(entry, ':');

    (void)scratch;
    return colon && colon > entry && parse_number(colon + 1, INT32_MAX) >= 0;
}

static int is_ip_limits(const char *value, apr_pool_t *scratch)
{
    return all(value, scratch, is_ip_limit);
}

static int is_replica(const char *entry, apr_pool_t *scratch)
{
    const char *colon = strchr(entry, ':');

    return colon &&
           parse_number(apr_pstrmemdup(scratch, entry,
                                       (apr_size_t)(colon - entry)),
                        INT32_MAX) >= 0 &&
           parse_number(colon + 1, INT32_MAX) >= 0;
}

static int is_throttled_replicas(const char *value, apr_pool_t *scratch)
{
    apr_array_header_t *entries = config_split(value, scratch);

    return (entries->nelts == 1 &&
            !strcmp(APR_ARRAY_IDX(entries, 0, const char *), "*")) ||
           all(value, scratch, is_replica);
}

const config_check_t check_listeners = {
    "a list of NAME://HOST:PORT, each name once", is_listeners};
const config_check_t check_http_listeners = {"a list of HOST:PORT",
                                             is_host_ports};
const config_check_t check_host_ports = {"a list of HOST:PORT",
                                         is_host_ports};
const config_check_t check_voters = {"a list of ID@HOST:PORT", is_voters};
const config_check_t check_ip_limits = {"a list of ADDRESS:NUMBER",
                                        is_ip_limits};
const config_check_t check_protocol_map = {
    "a list of NAME:PROTOCOL, where PROTOCOL is PLAINTEXT, SSL, "
    "SASL_PLAINTEXT or SASL_SSL",
    is_protocol_map};
const config_check_t check_throttled_replicas = {
    "* or a list of PARTITION:BROKER", is_throttled_replicas};

const char *config_listener_protocol(const config_t *config, const char *name,
                                     apr_pool_t *scratch)
{
    config_id_t id = CONFIG_LISTENER_SECURITY_PROTOCOL_MAP;
    apr_array_header_t *map = config_list(config, id, scratch);

    for (int i = 0; i < map->nelts; i++) {
        const char *entry = APR_ARRAY_IDX(map, i, const char *);
        const char *colon = strchr(entry, ':');
        apr_size_t length = (apr_size_t)(colon - entry);

        if (length == strlen(name) && !apr_cstr_casecmpn(entry, name, length))
            return upper(colon + 1, strlen(colon + 1), scratch);
    }
    if (config_source(config, id) == CONFIG_SOURCE_DEFAULT &&
        config_list_has(config_string(config, CONFIG_CONTROLLER_LISTENER_NAMES),
                        name))
        return "PLAINTEXT";
    return NULL;
}
