/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start and stop. The order of starting is the order of trust: nothing is
 * written before all that is in the directories was understood, no client is
 * answered before all partitions are recovered, and each step undoes the ones
 * before it when it fails.
 */
#include "broker/broker.h"

#include <apr_strings.h>
#include <string.h>

#include "api/context.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "broker/coordinators.h"
#include "broker/dynamic_config.h"
#include "broker/listeners.h"
#include "broker/topic_storage.h"
#include "net/server.h"
#include "storage/cleaner.h"
#include "storage/log_dir.h"

enum { STOP_LIMIT_SECONDS = 10 };

struct broker_process_t {
    broker_t seen;               /* by the handlers */
    apr_pool_t *pool;
    const char **error;
    listener_t *listeners;
    int listener_count;
    log_dir_t **dirs;
    const char **dir_paths;
    int dir_count;               /* with that of the metadata */
    int data_dir_count;          /* log.dirs */
    log_dir_t *metadata_dir;
    net_server_t *server;
    cleaner_t *cleaner;          /* NULL without log.cleaner.enable */
    unsigned dirs_started : 1;
    unsigned registered : 1;
};

static apr_status_t complain(broker_process_t *broker, apr_status_t status,
                             const char *what)
{
    char text[256];

    if (!*broker->error)
        *broker->error =
            apr_psprintf(broker->pool, "%s: %s", what,
                         takhin_strerror(status, text, sizeof text));
    return status;
}

/* ---- storage and metadata ------------------------------------------------ */

static void dir_options(const config_t *config, log_dir_options_t *options)
{
    log_dir_options_init(options);
    options->max_open_files = config_int(config, CONFIG_LOG_MAX_OPEN_FILES);
    options->reserve_bytes = config_long(config, CONFIG_LOG_DIR_RESERVE_BYTES);
    options->checkpoint_ms = config_long(
        config, CONFIG_LOG_FLUSH_OFFSET_CHECKPOINT_INTERVAL_MS);
    options->retention_check_ms =
        config_long(config, CONFIG_LOG_RETENTION_CHECK_INTERVAL_MS);
    options->recovery_threads =
        config_int(config, CONFIG_NUM_RECOVERY_THREADS_PER_DATA_DIR);
}

static apr_status_t open_dir(broker_process_t *broker, const char *path,
                             const log_dir_options_t *options)
{
    apr_status_t status =
        log_dir_open(&broker->dirs[broker->dir_count], path, options,
                     broker->pool, broker->error);

    if (status)
        return complain(broker, status, path);
    broker->dir_paths[broker->dir_count++] = path;
    return APR_SUCCESS;
}

/* log.dirs, and behind them metadata.log.dir where it is none of them. */
static apr_status_t open_dirs(broker_process_t *broker)
{
    const config_t *config = broker->seen.config;
    apr_array_header_t *paths = config_log_dirs(config, broker->pool);
    const char *metadata_path = config_metadata_dir(config, broker->pool);
    log_dir_options_t options;
    apr_status_t status = APR_SUCCESS;

    dir_options(config, &options);
    broker->dir_paths = apr_pcalloc(
        broker->pool, (paths->nelts + 1) * sizeof *broker->dir_paths);
    broker->dirs =
        apr_pcalloc(broker->pool, (paths->nelts + 1) * sizeof *broker->dirs);
    for (int i = 0; i < paths->nelts && !status; i++) {
        const char *path = APR_ARRAY_IDX(paths, i, const char *);

        status = open_dir(broker, path, &options);
        if (!status && !strcmp(path, metadata_path))
            broker->metadata_dir = broker->dirs[i];
    }
    broker->data_dir_count = broker->dir_count;
    broker->seen.log_dirs = broker->dirs;
    broker->seen.log_dir_count = broker->data_dir_count;
    if (!status && !broker->metadata_dir) {
        status = open_dir(broker, metadata_path, &options);
        broker->metadata_dir = broker->dirs[broker->data_dir_count];
    }
    return status;
}

static apr_status_t open_metadata(broker_process_t *broker)
{
    const config_t *config = broker->seen.config;
    const metadata_image_t *image;
    metadata_config_t options;
    apr_status_t status;

    metadata_config_init(&options);
    options.node_id = broker->seen.node_id;
    options.metadata_log_dir = config_metadata_dir(config, broker->pool);
    options.log_dirs = broker->dir_paths;
    options.log_dir_count = broker->data_dir_count;
    options.segment_bytes = config_int(config, CONFIG_METADATA_LOG_SEGMENT_BYTES);
    options.snapshot_bytes = config_long(
        config, CONFIG_METADATA_LOG_MAX_RECORD_BYTES_BETWEEN_SNAPSHOTS);
    status = metadata_open(&broker->seen.metadata, &options,
                           broker->metadata_dir, broker->pool, broker->error);
    if (status)
        return complain(broker, status, "the metadata log");
    image = metadata_image(broker->seen.metadata);
    dynamic_config_apply(&broker->seen, image);
    image_release(image);
    return APR_SUCCESS;
}

static apr_status_t open_topics(broker_process_t *broker)
{
    apr_status_t status = topic_storage_start(
        &broker->seen, broker->dirs, broker->data_dir_count, broker->pool);

    return status ? complain(broker, status, "the topics") : status;
}

static apr_status_t start_dirs(broker_process_t *broker)
{
    for (int i = 0; i < broker->dir_count; i++) {
        apr_status_t status = log_dir_start(broker->dirs[i]);

        if (status)
            return complain(broker, status, broker->dir_paths[i]);
    }
    broker->dirs_started = 1;
    return APR_SUCCESS;
}

static apr_status_t start_cleaner(broker_process_t *broker)
{
    const config_t *config = broker->seen.config;
    cleaner_options_t options;
    apr_status_t status;

    if (!config_bool(config, CONFIG_LOG_CLEANER_ENABLE))
        return APR_SUCCESS;
    cleaner_options_init(&options);
    options.threads = config_int(config, CONFIG_LOG_CLEANER_THREADS);
    options.dedupe_bytes =
        config_long(config, CONFIG_LOG_CLEANER_DEDUPE_BUFFER_SIZE);
    options.load_factor =
        config_double(config, CONFIG_LOG_CLEANER_IO_BUFFER_LOAD_FACTOR);
    options.io_bytes = config_int(config, CONFIG_LOG_CLEANER_IO_BUFFER_SIZE);
    options.bytes_per_second =
        config_double(config, CONFIG_LOG_CLEANER_IO_MAX_BYTES_PER_SECOND);
    options.backoff_ms = config_long(config, CONFIG_LOG_CLEANER_BACKOFF_MS);
    status = cleaner_create(&broker->cleaner, &options, broker->dirs,
                            broker->data_dir_count, broker->pool);
    if (!status)
        status = cleaner_start(broker->cleaner);
    return status ? complain(broker, status, "the log cleaner") : status;
}

/* ---- clients -------------------------------------------------------------- */

static void server_options(broker_process_t *broker, net_options_t *options)
{
    const config_t *config = broker->seen.config;
    net_listener_options_t *listeners =
        apr_pcalloc(broker->pool, broker->listener_count * sizeof *listeners);

    for (int i = 0; i < broker->listener_count; i++) {
        listeners[i].name = broker->listeners[i].name;
        listeners[i].host = broker->listeners[i].host;
        listeners[i].port = (apr_port_t)broker->listeners[i].port;
    }
    net_options_init(options);
    options->listeners = listeners;
    options->listener_count = broker->listener_count;
    options->workers = config_int(config, CONFIG_NUM_NETWORK_THREADS) +
                       config_int(config, CONFIG_NUM_IO_THREADS);
    options->backlog = config_int(config, CONFIG_SOCKET_LISTEN_BACKLOG_SIZE);
    options->max_connections = config_int(config, CONFIG_MAX_CONNECTIONS);
    options->max_request_bytes =
        (apr_size_t)config_int(config, CONFIG_SOCKET_REQUEST_MAX_BYTES);
    options->send_buffer_bytes =
        config_int(config, CONFIG_SOCKET_SEND_BUFFER_BYTES);
    options->receive_buffer_bytes =
        config_int(config, CONFIG_SOCKET_RECEIVE_BUFFER_BYTES);
    options->idle_time = apr_time_from_msec(
        config_long(config, CONFIG_CONNECTIONS_MAX_IDLE_MS));
    options->timer = broker->seen.timer;
    options->baton = &broker->seen;
    options->room_size = sizeof(request_t);
    options->dispatch = request_dispatch;
    options->overlaps = request_overlaps;
}

/* Binds, and learns the ports that were free where 0 was asked for. */
static apr_status_t bind_listeners(broker_process_t *broker)
{
    net_options_t options;
    api_endpoint_t *endpoints;
    apr_status_t status;

    server_options(broker, &options);
    status = net_server_open(&broker->server, &options, broker->error,
                              broker->pool);
    if (status)
        return complain(broker, status, "listeners");
    endpoints =
        apr_pcalloc(broker->pool, broker->listener_count * sizeof *endpoints);
    for (int i = 0; i < broker->listener_count; i++) {
        const listener_t *listener = &broker->listeners[i];

        endpoints[i].name = listener->name;
        endpoints[i].host = listener->advertised_host;
        endpoints[i].port = listener->advertised_port
                                ? listener->advertised_port
                                : net_server_port(broker->server, i);
    }
    broker->seen.endpoints = endpoints;
    broker->seen.endpoint_count = broker->listener_count;
    return APR_SUCCESS;
}

static apr_status_t register_broker(broker_process_t *broker)
{
    int count = broker->seen.endpoint_count;
    image_endpoint_t *endpoints =
        apr_pcalloc(broker->pool, count * sizeof *endpoints);
    apr_status_t status;

    for (int i = 0; i < count; i++) {
        endpoints[i].name = broker->seen.endpoints[i].name;
        endpoints[i].host = broker->seen.endpoints[i].host;
        endpoints[i].port = (uint16_t)broker->seen.endpoints[i].port;
        endpoints[i].security_protocol = 0;
    }
    status = metadata_start(broker->seen.metadata, endpoints, count,
                            broker->seen.rack);
    if (status)
        return complain(broker, status, "the metadata log");
    broker->registered = 1;
    status = metadata_unfence(broker->seen.metadata);
    return status ? complain(broker, status, "the metadata log") : status;
}

/* What handlers need beside storage and metadata. */
static apr_status_t create_services(broker_process_t *broker)
{
    broker_t *seen = &broker->seen;
    const metadata_image_t *image;
    apr_status_t status = base_timer_create(&seen->timer, broker->pool);

    if (!status)
        status = apr_thread_mutex_create(
            &seen->change_mutex, APR_THREAD_MUTEX_DEFAULT, broker->pool);
    if (!status)
        status = fetch_sessions_create(
            &seen->fetch_sessions,
            config_int(seen->config,
                       CONFIG_MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS),
            broker->pool);
    if (!status)
        status = quotas_create(&seen->quotas, seen->config, seen->metadata,
                               broker->pool);
    if (!status) {
        image = metadata_image(seen->metadata);
        quotas_changed(seen->quotas, image);
        image_release(image);
        status = producer_ids_create(&seen->producer_ids, seen->metadata,
                                     broker->pool);
    }
    return status ? complain(broker, status, "the broker's services") : status;
}

static apr_status_t open_to_clients(broker_process_t *broker)
{
    apr_status_t status =
        purgatory_create(&broker->seen.purgatory,
                         net_server_workers(broker->server),
                         broker->seen.timer, broker->pool);

    if (!status)
        status = coordinators_start(&broker->seen,
                                    net_server_workers(broker->server),
                                    broker->pool);
    if (status)
        return complain(broker, status, "the broker's services");
    status = net_server_accept(broker->server);
    return status ? complain(broker, status, "the network") : status;
}

/* ---- start and stop -------------------------------------------------------- */

static apr_status_t start(broker_process_t *broker)
{
    static apr_status_t (*const steps[])(broker_process_t *) = {
        open_dirs,      open_metadata,   open_topics,     create_services,
        bind_listeners, start_dirs,      register_broker, start_cleaner,
        open_to_clients
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        apr_status_t status = steps[i](broker);

        if (status)
            return status;
    }
    return APR_SUCCESS;
}

static void say_ready(broker_process_t *broker, apr_time_t began)
{
    for (int i = 0; i < broker->listener_count; i++)
        LOG_INFO(broker, "listening on %s://%s:%d as %s:%d",
                 broker->listeners[i].name, broker->listeners[i].host,
                 net_server_port(broker->server, i),
                 broker->seen.endpoints[i].host,
                 (int)broker->seen.endpoints[i].port);
    LOG_INFO(broker, "node %s of cluster %s started in %d ms",
             broker->seen.node_name,
             metadata_cluster_id(broker->seen.metadata),
             (int)apr_time_as_msec(clock_monotonic() - began));
}

apr_status_t broker_start(broker_process_t **out, config_t *config,
                          const char **error, apr_pool_t *pool)
{
    broker_process_t *broker = apr_pcalloc(pool, sizeof *broker);
    apr_time_t began = clock_monotonic();
    apr_status_t status;

    *error = NULL;
    broker->pool = pool;
    broker->error = error;
    broker->seen.config = config;
    broker->seen.node_id = config_int(config, CONFIG_NODE_ID);
    broker->seen.node_name = apr_itoa(pool, broker->seen.node_id);
    broker->seen.rack = config_string(config, CONFIG_BROKER_RACK);
    status = listeners_parse(config, &broker->listeners,
                             &broker->listener_count, error, pool);
    if (!status)
        status = start(broker);
    if (status) {
        broker_stop(broker);
        return status;
    }
    say_ready(broker, began);
    *out = broker;
    return APR_SUCCESS;
}

/* The first error counts; the steps after it are done all the same. */
static void keep(apr_status_t *first, apr_status_t status)
{
    if (!*first)
        *first = status;
}

apr_status_t broker_stop(broker_process_t *broker)
{
    apr_status_t first = APR_SUCCESS;
    int64_t epoch = -2; /* no clean-stop marker */

    if (broker->seen.purgatory)
        purgatory_stop(broker->seen.purgatory);
    coordinators_stop(&broker->seen);
    if (broker->server)
        net_server_stop(broker->server, apr_time_from_sec(STOP_LIMIT_SECONDS));
    if (broker->seen.timer)
        base_timer_stop(broker->seen.timer);
    coordinators_destroy(&broker->seen);
    if (broker->seen.quotas)
        quotas_destroy(broker->seen.quotas);
    if (broker->registered) {
        epoch = metadata_broker_epoch(broker->seen.metadata);
        keep(&first, metadata_stop(broker->seen.metadata));
    }
    if (broker->cleaner)
        cleaner_stop(broker->cleaner);
    if (broker->seen.topics)
        keep(&first, topics_close(broker->seen.topics));
    if (broker->seen.metadata)
        metadata_close(broker->seen.metadata);
    for (int i = 0; i < broker->dir_count; i++)
        keep(&first, log_dir_close(broker->dirs[i], epoch));
    if (broker->registered)
        LOG_INFO(broker, "stopped");
    return first;
}

int broker_port(const broker_process_t *broker)
{
    return net_server_port(broker->server, 0);
}
