/* SPDX-License-Identifier: Apache-2.0 */
/* Which listeners serve clients, and what clients are told of them. */
#include "broker/listeners.h"

#include <apr_network_io.h>
#include <apr_strings.h>
#include <string.h>

static apr_status_t complain(const char **error, apr_pool_t *pool,
                             const char *key, const char *name,
                             const char *what)
{
    *error = apr_psprintf(pool, "%s: listener %s %s", key, name, what);
    return APR_EINVAL;
}

static int is_any_address(const char *host)
{
    return !*host || !strcmp(host, "0.0.0.0") || !strcmp(host, "::");
}

/* What clients are told where nothing is said: the host bound, or, where that
 * is every address, this machine's name if it leads back here. */
static const char *default_host(const char *bound, apr_pool_t *pool)
{
    char name[APRMAXHOSTLEN + 1];
    apr_sockaddr_t *address;

    if (!is_any_address(bound))
        return bound;
    if (apr_gethostname(name, sizeof name, pool) ||
        apr_sockaddr_info_get(&address, name, APR_UNSPEC, 0, 0, pool))
        return "localhost";
    return apr_pstrdup(pool, name);
}

/* A controller's listeners serve no client: Takhin's own needs none. */
static int serves_clients(const config_t *config, const char *name)
{
    const char *controllers =
        config_string(config, CONFIG_CONTROLLER_LISTENER_NAMES);

    return !controllers || !config_list_has(controllers, name);
}

static apr_status_t bind_list(const config_t *config, listener_t *listeners,
                              int *count, const apr_array_header_t *bound,
                              const char **error, apr_pool_t *pool)
{
    for (int i = 0; i < bound->nelts; i++) {
        const config_listener_t *from =
            &APR_ARRAY_IDX(bound, i, config_listener_t);
        const char *protocol =
            config_listener_protocol(config, from->name, pool);
        listener_t *to = &listeners[*count];

        if (!serves_clients(config, from->name))
            continue;
        if (!protocol || strcmp(protocol, "PLAINTEXT"))
            return complain(error, pool, "listeners", from->name,
                            "has a security protocol other than PLAINTEXT, "
                            "the only one served");
        to->name = from->name;
        to->host = from->host;
        to->port = from->port;
        to->advertised_host = default_host(from->host, pool);
        to->advertised_port = from->port;
        ++*count;
    }
    if (*count == 0)
        return complain(error, pool, "listeners", "for clients", "is missing");
    return APR_SUCCESS;
}

static apr_status_t advertise(const config_listener_t *told,
                              listener_t *listeners, int count,
                              const char **error, apr_pool_t *pool)
{
    if (is_any_address(told->host))
        return complain(error, pool, "advertised.listeners", told->name,
                        "needs a host that clients can reach");
    for (int i = 0; i < count; i++)
        if (!strcmp(told->name, listeners[i].name)) {
            listeners[i].advertised_host = told->host;
            listeners[i].advertised_port = told->port;
        }
    return APR_SUCCESS;
}

apr_status_t listeners_parse(const config_t *config, listener_t **listeners,
                             int *count, const char **error, apr_pool_t *pool)
{
    apr_array_header_t *bound, *told;
    const char *advertised = config_string(config, CONFIG_ADVERTISED_LISTENERS);
    apr_status_t status = config_parse_listeners(
        &bound, config_string(config, CONFIG_LISTENERS), pool);

    *count = 0;
    if (status)
        return status;
    *listeners = apr_pcalloc(pool, (bound->nelts + 1) * sizeof **listeners);
    status = bind_list(config, *listeners, count, bound, error, pool);
    if (status || !advertised || !*advertised)
        return status;
    status = config_parse_listeners(&told, advertised, pool);
    for (int i = 0; i < told->nelts && !status; i++)
        status = advertise(&APR_ARRAY_IDX(told, i, config_listener_t),
                           *listeners, *count, error, pool);
    return status;
}
