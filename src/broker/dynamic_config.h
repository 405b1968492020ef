/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic configuration of the broker (KIP-226): what the metadata log says
 * beside the file. Numbers and switches become what config_int and its like
 * return; what topics inherit is looked up where a log's configuration is made.
 */
#ifndef TAKHIN_BROKER_DYNAMIC_CONFIG_H
#define TAKHIN_BROKER_DYNAMIC_CONFIG_H

#include "api/context.h"

/* Makes the configuration say what IMAGE says. Any thread, one at a time. */
void dynamic_config_apply(broker_t *broker, const metadata_image_t *image);

#endif
