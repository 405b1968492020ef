/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that properties.def names with CHECK(name). */
#ifndef TAKHIN_BASE_CONFIG_CHECK_H
#define TAKHIN_BASE_CONFIG_CHECK_H

#include "base/config.h"

extern const config_check_t check_listeners;
extern const config_check_t check_http_listeners;
extern const config_check_t check_host_ports;
extern const config_check_t check_ip_limits;
extern const config_check_t check_protocol_map;
extern const config_check_t check_throttled_replicas;
extern const config_check_t check_voters;

/* Splits LIST at its commas into const char *, without white space around
 * entries. An empty entry is kept, an empty list is no entry. */
apr_array_header_t *config_split(const char *list, apr_pool_t *pool);

#endif
