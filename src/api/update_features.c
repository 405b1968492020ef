/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UpdateFeatures (KIP-584, KIP-778): raises and lowers finalized feature
 * levels, all that a request names or none. A level that this program does not
 * know is never written, nor one that would lose what records already say.
 */
#include <apr_strings.h>
#include <string.h>

#include "api/context.h"
#include "api/error.h"
#include "api/handlers.h"
#include "metadata/features.h"
#include "metadata/frame.h"
#include "protocol/error_code.h"
#include "protocol/feature_level_record.h"
#include "protocol/update_features_request.h"
#include "protocol/update_features_response.h"

typedef update_features_request_feature_update_key_t asked_t;

enum { UPGRADE = 1, SAFE_DOWNGRADE = 2, UNSAFE_DOWNGRADE = 3 };

typedef struct {
    request_t *request;
    const update_features_request_t *body;
    const metadata_image_t *image;
    const char *why; /* what is wrong; NULL: nothing */
} update_t;

static int upgrade_type(const update_t *update, const asked_t *asked)
{
    if (update->request->version == 0)
        return asked->allow_downgrade ? SAFE_DOWNGRADE : UPGRADE;
    return asked->upgrade_type;
}

static const metadata_feature_t *supported(wire_string_t name)
{
    int count;
    const metadata_feature_t *all = metadata_features(&count);

    for (int i = 0; i < count; i++)
        if (wire_string_equal_text(name, all[i].name))
            return &all[i];
    return NULL;
}

/* The level FEATURE will have when the whole request is carried out. */
static int16_t level_after(const update_t *update, const char *feature)
{
    for (int32_t i = update->body->feature_updates_count - 1; i >= 0; i--)
        if (wire_string_equal_text(update->body->feature_updates[i].feature,
                                   feature))
            return update->body->feature_updates[i].max_version_level;
    return image_feature(update->image, feature);
}

static const char *direction_error(int type, int16_t from, int16_t to)
{
    if (type < UPGRADE || type > UNSAFE_DOWNGRADE)
        return "the type of the change is not known";
    if (to < from && type == UPGRADE)
        return "a downgrade must be asked for as one";
    if (to > from && type != UPGRADE)
        return "this would be an upgrade, and a downgrade is asked for";
    return NULL;
}

static const char *level_error(const update_t *update, const asked_t *asked)
{
    const metadata_feature_t *feature = supported(asked->feature);
    int16_t to = asked->max_version_level, from;
    const char *why;

    if (to < 0)
        return "a level cannot be below 0";
    if (!feature || to < feature->min || to > feature->max)
        return "this broker does not support the level";
    from = image_feature(update->image, feature->name);
    why = direction_error(upgrade_type(update, asked), from, to);
    if (why)
        return why;
    if (!strcmp(feature->name, FEATURE_METADATA_VERSION)) {
        if (to < from && feature_metadata_differs(from, to))
            return "records of the present level would be lost";
        return NULL;
    }
    if (!strcmp(feature->name, FEATURE_ELR_VERSION) && to > 0 &&
        level_after(update, FEATURE_METADATA_VERSION) <
            FEATURE_ELR_METADATA_VERSION)
        return "it needs metadata.version 23 or above";
    if (!strcmp(feature->name, FEATURE_KRAFT_VERSION) && to != from)
        return "the quorum's format is chosen when its directory is made";
    return NULL;
}

static int check(update_t *update)
{
    for (int32_t i = 0; i < update->body->feature_updates_count; i++) {
        const asked_t *asked = &update->body->feature_updates[i];
        const char *why = level_error(update, asked);

        if (!why)
            continue;
        update->why = apr_psprintf(
            update->request->pool,
            "The update failed for all features since the following feature "
            "had an error: Invalid update version %d for feature %.*s. %s",
            asked->max_version_level, (int)asked->feature.length,
            asked->feature.data, why);
        return 0;
    }
    return 1;
}

static int16_t write_levels(const update_t *update)
{
    request_t *request = update->request;
    int32_t count = update->body->feature_updates_count;
    metadata_record_t *records =
        apr_pcalloc(request->pool, (count + 1) * sizeof *records);
    feature_level_record_t *levels =
        apr_palloc(request->pool, (count + 1) * sizeof *levels);

    for (int32_t i = 0; i < count; i++) {
        feature_level_record_init(&levels[i]);
        levels[i].name = update->body->feature_updates[i].feature;
        levels[i].feature_level =
            update->body->feature_updates[i].max_version_level;
        records[i].key = RECORD_FEATURE_LEVEL;
        records[i].body = &levels[i];
    }
    if (count == 0)
        return KAFKA_NONE;
    return api_error(metadata_append(request->broker->metadata, records, count,
                                     request->pool));
}

/* Versions 0 and 1 say it once more, feature by feature. */
static void put_results(const update_t *update,
                        update_features_response_t *response)
{
    int32_t count = update->body->feature_updates_count;

    response->results = apr_palloc(update->request->pool,
                                   (count + 1) * sizeof *response->results);
    for (int32_t i = 0; i < count; i++) {
        update_features_response_updatable_feature_result_init(
            &response->results[i]);
        response->results[i].feature = update->body->feature_updates[i].feature;
        response->results[i].error_message = wire_string_literal("NONE");
    }
    response->results_count = count;
}

void handle_update_features(request_t *request)
{
    update_t update = {request, request->body,
                       metadata_image(request->broker->metadata), NULL};
    update_features_response_t response;

    update_features_response_init(&response);
    response.error_message = WIRE_STRING_NULL;
    response.results_count = 0;
    if (!check(&update))
        response.error_code = KAFKA_INVALID_UPDATE_VERSION;
    else if (!update.body->validate_only)
        response.error_code = write_levels(&update);
    if (update.why)
        response.error_message = wire_string_from(update.why);
    else if (response.error_code)
        response.error_message =
            wire_string_from(kafka_error_text(response.error_code));
    else if (request->version <= 1)
        put_results(&update, &response);
    request_reply(request, &response);
    image_release(update.image);
}
