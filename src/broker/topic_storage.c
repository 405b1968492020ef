/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata's listener that owns the topics' logs. A topic whose log cannot
 * be made is offline, with a line that says why; the metadata stays right.
 */
#include "broker/topic_storage.h"

#include <string.h>

#include "base/error.h"
#include "base/logger.h"
#include "broker/dynamic_config.h"
#include "metadata/effective_config.h"

static void log_config_of(const broker_t *broker,
                          const metadata_image_t *image, const char *topic,
                          log_config_t *config)
{
    effective_log_config(broker->config, image, broker->node_name, topic,
                         config);
}

static void spec_of(const broker_t *broker, const metadata_image_t *image,
                    const image_topic_t *topic, topic_spec_t *spec)
{
    spec->name = image_topic_name(topic);
    spec->id = *image_topic_id(topic);
    spec->partition_count = image_topic_partition_count(topic);
    log_config_of(broker, image, spec->name, &spec->config);
}

static void complain(apr_status_t status, const char *what, const char *topic)
{
    if (status)
        LOG_ERROR(broker, "topic %s cannot be %s: %s", topic, what,
                  LOG_STATUS(status));
}

/* The topic's partitions append in the leader epochs that IMAGE has. */
static apr_status_t adopt_epochs(void *baton, const image_topic_t *image)
{
    broker_t *broker = baton;
    topic_t *topic;

    if (topics_get_id(broker->topics, image_topic_id(image), &topic))
        return APR_SUCCESS;       /* it has no storage: that was said before */
    for (int32_t i = 0; i < image_topic_partition_count(image); i++) {
        partition_t *partition;

        if (topic_partition(topic, i, &partition))
            continue;
        partition_set_leader_epoch(
            partition, image_topic_partition(image, i)->leader_epoch);
        partition_release(partition);
    }
    topic_release(topic);
    return APR_SUCCESS;
}

/* ---- as records come -------------------------------------------------------- */

static void topic_created(void *baton, const metadata_image_t *image,
                          const image_topic_t *topic)
{
    broker_t *broker = baton;
    topic_spec_t spec;

    spec_of(broker, image, topic, &spec);
    complain(topics_add(broker->topics, &spec), "created", spec.name);
}

static void topic_changed(void *baton, const metadata_image_t *image,
                          const image_topic_t *before,
                          const image_topic_t *topic)
{
    broker_t *broker = baton;
    int32_t count = image_topic_partition_count(topic);

    (void)image;
    if (count > image_topic_partition_count(before))
        complain(topics_grow(broker->topics, image_topic_name(topic), count),
                 "given more partitions", image_topic_name(topic));
    adopt_epochs(broker, topic);
}

static void topic_deleted(void *baton, const metadata_image_t *image,
                          const image_topic_t *topic)
{
    broker_t *broker = baton;

    (void)image;
    complain(topics_delete(broker->topics, image_topic_id(topic)), "deleted",
             image_topic_name(topic));
    if (broker->groups)
        group_coordinator_topic_deleted(broker->groups,
                                        image_topic_name(topic));
}

static void configure(broker_t *broker, const metadata_image_t *image,
                      const char *topic)
{
    log_config_t config;

    log_config_of(broker, image, topic, &config);
    complain(topics_set_config(broker->topics, topic, &config), "configured",
             topic);
}

typedef struct {
    broker_t *broker;
    const metadata_image_t *image;
} configuring_t;

static apr_status_t configure_each(void *baton, const image_topic_t *topic)
{
    configuring_t *configuring = baton;

    configure(configuring->broker, configuring->image,
              image_topic_name(topic));
    return APR_SUCCESS;
}

static void config_changed(void *baton, const metadata_image_t *image,
                           int8_t type, const char *name)
{
    configuring_t configuring = { baton, image };

    if (type == CONFIG_TOPIC)
        configure(baton, image, name);
    if (type != CONFIG_BROKER)
        return;
    dynamic_config_apply(baton, image);
    /* A broker's property may be what every topic inherits. */
    image_each_topic(image, configure_each, &configuring);
}

static void other_changed(void *baton, const metadata_image_t *image, int what)
{
    broker_t *broker = baton;

    if ((what & METADATA_QUOTAS) && broker->quotas)
        quotas_changed(broker->quotas, image);
    if ((what & METADATA_FEATURES) && broker->transactions)
        transactions_set_version(
            broker->transactions, image_feature(image, "transaction.version"));
}

/* ---- at start --------------------------------------------------------------- */

typedef struct {
    broker_t *broker;
    const metadata_image_t *image;
    topic_spec_t *specs;
    int count;
} loading_t;

static apr_status_t collect(void *baton, const image_topic_t *topic)
{
    loading_t *loading = baton;

    spec_of(loading->broker, loading->image, topic,
            &loading->specs[loading->count++]);
    return APR_SUCCESS;
}

static apr_status_t load(broker_t *broker, apr_pool_t *pool)
{
    loading_t loading = { broker, metadata_image(broker->metadata), NULL, 0 };
    apr_pool_t *scratch;
    apr_status_t status = apr_pool_create(&scratch, pool);

    if (!status) {
        loading.specs =
            apr_palloc(scratch, (image_topic_count(loading.image) + 1) *
                                    sizeof *loading.specs);
        image_each_topic(loading.image, collect, &loading);
        status = topics_load(broker->topics, loading.specs, loading.count);
        image_each_topic(loading.image, adopt_epochs, broker);
        apr_pool_destroy(scratch);
    }
    image_release(loading.image);
    return status;
}

apr_status_t topic_storage_start(broker_t *broker, log_dir_t *const *dirs,
                                 int dir_count, apr_pool_t *pool)
{
    topics_options_t options = {
        .dirs = dirs,
        .dir_count = dir_count,
        .replica = broker->node_id,
        .recovery_threads = config_int(
            broker->config, CONFIG_NUM_RECOVERY_THREADS_PER_DATA_DIR)
    };
    metadata_listener_t listener = { .baton = broker,
                                     .topic_created = topic_created,
                                     .topic_changed = topic_changed,
                                     .topic_deleted = topic_deleted,
                                     .config_changed = config_changed,
                                     .other_changed = other_changed };
    apr_status_t status = topics_create(&broker->topics, &options, pool);

    if (!status)
        status = load(broker, pool);
    if (!status)
        metadata_listen(broker->metadata, &listener);
    return status;
}
