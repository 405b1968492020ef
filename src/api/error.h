/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place where an apr_status_t becomes a Kafka error code.
 */
#ifndef TAKHIN_API_ERROR_H
#define TAKHIN_API_ERROR_H

#include <apr_errno.h>
#include <stdint.h>

/* The Kafka error code for STATUS; KAFKA_NONE for APR_SUCCESS, and
 * UNKNOWN_SERVER_ERROR for what no client should ever see. */
int16_t api_error(apr_status_t status);

#endif
