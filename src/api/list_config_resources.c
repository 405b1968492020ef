/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListConfigResources (KIP-1142): the names of what can have a configuration.
 * Topics and brokers are all named; groups and client metrics where something
 * is set. Version 0 knew client metrics only.
 */
#include <apr_strings.h>

#include "api/configs.h"
#include "api/context.h"
#include "api/handlers.h"
#include "protocol/error_code.h"
#include "protocol/list_config_resources_request.h"
#include "protocol/list_config_resources_response.h"

typedef list_config_resources_response_config_resource_t resource_t;

typedef struct {
    request_t *request;
    apr_array_header_t *found; /* resource_t */
    unsigned wanted;           /* bits by resource type */
} listing_t;

enum {
    WANT_TOPICS = 1u << CONFIG_TOPIC,
    WANT_BROKERS = 1u << CONFIG_BROKER,
    WANT_LOGGERS = 1u << CONFIG_BROKER_LOGGER,
    WANT_METRICS = 1u << CONFIG_CLIENT_METRICS
};
/* A group's type, 32, is a bit too far. */
#define WANT_GROUPS 1u
#define WANT_ALL \
    (WANT_TOPICS | WANT_BROKERS | WANT_LOGGERS | WANT_METRICS | WANT_GROUPS)

static void add(listing_t *listing, int8_t type, const char *name)
{
    resource_t *resource = apr_array_push(listing->found);

    list_config_resources_response_config_resource_init(resource);
    resource->resource_type = type;
    resource->resource_name = wire_string_from(name);
}

static apr_status_t add_topic(void *baton, const image_topic_t *topic)
{
    add(baton, CONFIG_TOPIC, image_topic_name(topic));
    return APR_SUCCESS;
}

static apr_status_t add_broker(void *baton, const image_node_t *node)
{
    listing_t *listing = baton;
    const char *name = apr_itoa(listing->request->pool, node->id);

    if (listing->wanted & WANT_BROKERS)
        add(listing, CONFIG_BROKER, name);
    if (listing->wanted & WANT_LOGGERS)
        add(listing, CONFIG_BROKER_LOGGER, name);
    return APR_SUCCESS;
}

static apr_status_t add_configured(void *baton, int8_t type, const char *name,
                                   const image_config_entry_t *entries,
                                   int count)
{
    listing_t *listing = baton;

    (void)entries;
    if (count > 0 &&
        ((type == CONFIG_GROUP && (listing->wanted & WANT_GROUPS)) ||
         (type == CONFIG_CLIENT_METRICS && (listing->wanted & WANT_METRICS))))
        add(listing, type, name);
    return APR_SUCCESS;
}

/* Sets what is wanted; 0 when that has a type that there is none of. */
static int read_types(listing_t *listing)
{
    const list_config_resources_request_t *body = listing->request->body;

    if (listing->request->version == 0)
        listing->wanted = WANT_METRICS;
    else if (body->resource_types_count == 0)
        listing->wanted = WANT_ALL;
    for (int32_t i = 0; i < body->resource_types_count; i++) {
        int8_t type = body->resource_types[i];
        unsigned bit = type == CONFIG_GROUP                        ? WANT_GROUPS
                       : type > 0 && type <= CONFIG_CLIENT_METRICS ? 1u << type
                                                                   : 0;

        if (!(bit & WANT_ALL))
            return 0;
        listing->wanted |= bit;
    }
    return 1;
}

void handle_list_config_resources(request_t *request)
{
    listing_t listing = {
        request, apr_array_make(request->pool, 16, sizeof(resource_t)), 0};
    const metadata_image_t *image = metadata_image(request->broker->metadata);
    list_config_resources_response_t response;

    list_config_resources_response_init(&response);
    if (!read_types(&listing)) {
        response.error_code = KAFKA_UNSUPPORTED_VERSION;
    } else {
        if (listing.wanted & WANT_TOPICS)
            image_each_topic(image, add_topic, &listing);
        image_each_broker(image, add_broker, &listing);
        image_each_config(image, add_configured, &listing);
    }
    response.config_resources = (resource_t *)listing.found->elts;
    response.config_resources_count = listing.found->nelts;
    request_reply(request, &response);
    image_release(image);
}
