/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinators' start and stop. */
#include "broker/coordinators.h"

#include <apr_strings.h>
#include <string.h>

#include "base/assert.h"

/* A coordinator's task has room for the worker pool's link. */
_Static_assert(sizeof(worker_task_t) <=
                   sizeof(((coordinator_task_t *)0)->room),
               "a worker's task fits into a coordinator's");

static void run(worker_task_t *task)
{
    coordinator_task_t *self = (coordinator_task_t *)task; /* room is first */

    self->run(self);
}

static void submit(void *workers, coordinator_task_t *task)
{
    worker_task_t *link = (worker_task_t *)task->room;

    link->run = run;
    worker_pool_submit(workers, link);
}

static group_migration_t migration(const char *policy)
{
    if (!apr_strnatcasecmp(policy, "upgrade"))
        return GROUP_MIGRATION_UPGRADE;
    if (!apr_strnatcasecmp(policy, "downgrade"))
        return GROUP_MIGRATION_DOWNGRADE;
    return apr_strnatcasecmp(policy, "disabled") ? GROUP_MIGRATION_BOTH
                                                 : GROUP_MIGRATION_DISABLED;
}

/* The assignors we have, in the order of the property. */
static void set_assignors(group_config_t *groups, const config_t *config,
                          apr_pool_t *pool)
{
    apr_array_header_t *names =
        config_list(config, CONFIG_GROUP_CONSUMER_ASSIGNORS, pool);
    int count = 0;

    memset(groups->consumer_assignors, 0, sizeof groups->consumer_assignors);
    for (int i = 0; i < names->nelts && count < GROUP_MAX_ASSIGNORS; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (!strcmp(name, "uniform") || !strcmp(name, "range"))
            groups->consumer_assignors[count++] = name;
    }
    if (count == 0)
        groups->consumer_assignors[0] = "uniform";
}

static void configure(group_config_t *groups, const config_t *config,
                      apr_pool_t *pool)
{
    group_config_init(groups);
    groups->min_session_timeout_ms =
        config_int(config, CONFIG_GROUP_MIN_SESSION_TIMEOUT_MS);
    groups->max_session_timeout_ms =
        config_int(config, CONFIG_GROUP_MAX_SESSION_TIMEOUT_MS);
    groups->initial_rebalance_delay_ms =
        config_int(config, CONFIG_GROUP_INITIAL_REBALANCE_DELAY_MS);
    groups->max_size = config_int(config, CONFIG_GROUP_MAX_SIZE);
    groups->offsets_retention_ms =
        60000 * (int64_t)config_int(config, CONFIG_OFFSETS_RETENTION_MINUTES);
    groups->offsets_retention_check_ms =
        config_long(config, CONFIG_OFFSETS_RETENTION_CHECK_INTERVAL_MS);
    groups->offset_metadata_max_bytes =
        config_int(config, CONFIG_OFFSET_METADATA_MAX_BYTES);
    groups->consumer_session_timeout_ms =
        config_int(config, CONFIG_GROUP_CONSUMER_SESSION_TIMEOUT_MS);
    groups->consumer_heartbeat_interval_ms =
        config_int(config, CONFIG_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS);
    groups->consumer_max_size =
        config_int(config, CONFIG_GROUP_CONSUMER_MAX_SIZE);
    groups->consumer_regex_refresh_ms =
        config_int(config, CONFIG_GROUP_CONSUMER_REGEX_REFRESH_INTERVAL_MS);
    groups->migration = migration(
        config_string(config, CONFIG_GROUP_CONSUMER_MIGRATION_POLICY));
    groups->flush = config_bool(config, CONFIG_LOG_FLUSH_ON_ACKS_ALL) ? 1 : 0;
    set_assignors(groups, config, pool);
}

static const metadata_image_t *current_image(void *metadata)
{
    return metadata_image(metadata);
}

/* As many as TOPIC has, or will have when it is created. */
static int32_t count_shards(const broker_t *broker, const char *name,
                            config_id_t property)
{
    const metadata_image_t *image = metadata_image(broker->metadata);
    const image_topic_t *topic = image_topic(image, name, strlen(name));
    int32_t count = topic ? image_topic_partition_count(topic)
                          : config_int(broker->config, property);

    image_release(image);
    return count;
}

static apr_status_t start_groups(broker_t *broker,
                                 const coordinator_workers_t *hand_over,
                                 apr_pool_t *pool)
{
    group_metadata_t metadata = { current_image, broker->metadata };
    journal_driver_t journal;
    group_config_t config;
    apr_status_t status;

    configure(&config, broker->config, pool);
    journal_partitions(&journal, broker->topics, GROUP_TOPIC);
    status = group_coordinator_create(
        &broker->groups, &config,
        count_shards(broker, GROUP_TOPIC,
                     CONFIG_OFFSETS_TOPIC_NUM_PARTITIONS),
        &journal, hand_over, broker->timer, &metadata, pool);
    if (!status)
        group_coordinator_start(broker->groups);
    return status;
}

/* ---- transactions ---------------------------------------------------------- */

static apr_status_t next_producer_id(void *baton, int64_t *id)
{
    apr_pool_t *scratch;
    apr_status_t status = apr_pool_create(&scratch, NULL);

    if (status)
        return status;
    status = producer_ids_next(baton, id, scratch);
    apr_pool_destroy(scratch);
    return status;
}

static void offsets_ended(void *groups, int32_t index, int64_t producer_id,
                          int commit)
{
    offsets_end_transaction(groups, index, producer_id, commit);
}

/* The finalised level of transaction.version. */
static int16_t transaction_version(const broker_t *broker)
{
    const metadata_image_t *image = metadata_image(broker->metadata);
    int16_t level = image_feature(image, "transaction.version");

    image_release(image);
    return level > 0 ? level : 0;
}

static void configure_transactions(transaction_config_t *transactions,
                                   const broker_t *broker)
{
    const config_t *config = broker->config;

    transaction_config_init(transactions);
    transactions->max_timeout_ms =
        config_int(config, CONFIG_TRANSACTION_MAX_TIMEOUT_MS);
    transactions->id_expiration_ms =
        config_int(config, CONFIG_TRANSACTIONAL_ID_EXPIRATION_MS);
    transactions->abort_interval_ms = config_int(
        config,
        CONFIG_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS);
    transactions->remove_interval_ms = config_int(
        config,
        CONFIG_TRANSACTION_REMOVE_EXPIRED_TRANSACTION_CLEANUP_INTERVAL_MS);
    transactions->version = transaction_version(broker);
    transactions->flush =
        config_bool(config, CONFIG_LOG_FLUSH_ON_ACKS_ALL) ? 1 : 0;
}

static apr_status_t start_transactions(broker_t *broker,
                                       const coordinator_workers_t *hand_over,
                                       apr_pool_t *pool)
{
    transaction_parts_t parts = {
        .workers = *hand_over,
        .timer = broker->timer,
        .topics = broker->topics,
        .ids = { next_producer_id, broker->producer_ids },
        .offsets = { offsets_ended, broker->groups }
    };
    transaction_config_t config;
    apr_status_t status;

    configure_transactions(&config, broker);
    journal_partitions(&parts.journal, broker->topics, TRANSACTION_TOPIC);
    status = transactions_create(
        &broker->transactions, &config,
        count_shards(broker, TRANSACTION_TOPIC,
                     CONFIG_TRANSACTION_STATE_LOG_NUM_PARTITIONS),
        &parts, pool);
    if (!status)
        transactions_start(broker->transactions);
    return status;
}

/* ---- both ------------------------------------------------------------------- */

apr_status_t coordinators_start(broker_t *broker, worker_pool_t *workers,
                                apr_pool_t *pool)
{
    coordinator_workers_t hand_over = { submit, workers };
    apr_status_t status = start_groups(broker, &hand_over, pool);

    if (!status)
        status = start_transactions(broker, &hand_over, pool);
    return status;
}

void coordinators_stop(broker_t *broker)
{
    if (broker->transactions)
        transactions_stop(broker->transactions);
    if (broker->groups)
        group_coordinator_stop(broker->groups);
}

void coordinators_destroy(broker_t *broker)
{
    if (broker->transactions)
        transactions_destroy(broker->transactions);
    if (broker->groups)
        group_coordinator_destroy(broker->groups);
}
