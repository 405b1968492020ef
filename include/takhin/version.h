/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The version: the one place it is written. The build takes the shared
 * library's number from here.
 */
#ifndef TAKHIN_VERSION_H
#define TAKHIN_VERSION_H

#define TAKHIN_VERSION "0.1.0"

#endif
