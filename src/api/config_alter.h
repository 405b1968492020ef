/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of configurations: what AlterConfigs and IncrementalAlterConfigs
 * (KIP-133, KIP-339) have in common.
 */
#ifndef TAKHIN_API_CONFIG_ALTER_H
#define TAKHIN_API_CONFIG_ALTER_H

#include "api/context.h"

enum {
    CONFIG_SET = 0,
    CONFIG_DELETE = 1,
    CONFIG_APPEND = 2,
    CONFIG_SUBTRACT = 3
};

typedef struct {
    int8_t operation; /* as it came: perhaps none of the above */
    wire_string_t name;
    wire_string_t value; /* may be null */
} config_operation_t;

/* One resource, and how its change ended. */
typedef struct {
    int8_t type; /* CONFIG_TOPIC and so on, or anything */
    wire_string_t name;
    const config_operation_t *operations;
    int32_t count;
    int replaces; /* what is not named is deleted (AlterConfigs) */
    int16_t error;
    const char *message; /* NULL: none */
} config_alter_t;

/* Changes each resource as a whole, or not at all. Blocks on the device. */
void config_alter(request_t *request, config_alter_t *alters, int32_t count,
                  int validate_only);

#endif
