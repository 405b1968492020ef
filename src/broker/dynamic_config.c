/* SPDX-License-Identifier: Apache-2.0 */
/* From the image to the configuration's numbers. */
#include "broker/dynamic_config.h"

#include "metadata/effective_config.h"

static void apply_one(broker_t *broker, const metadata_image_t *image,
                      const property_t *property)
{
    config_synonym_t values[EFFECTIVE_MAX];
    int count = effective_values(broker->config, image, broker->node_name, NULL,
                                 property, values);
    int is_dynamic =
        count > 0 && values[0].source <= CONFIG_SOURCE_DYNAMIC_DEFAULT;

    config_override(broker->config, property->id,
                    is_dynamic ? values[0].value : NULL);
}

void dynamic_config_apply(broker_t *broker, const metadata_image_t *image)
{
    for (config_id_t id = 0; id < CONFIG_COUNT; id++) {
        const property_t *property = property_get(id);

        if (property->scope == CONFIG_SCOPE_BROKER && property->dynamic)
            apply_one(broker, image, property);
    }
}
