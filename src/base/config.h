/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: one object, filled at start from a file and overrides,
 * read by everyone afterwards. What properties there are stands in
 * properties.def. A value that was not checked never gets in: a getter cannot
 * fail. Loading and setting: one thread, before the others start; what changes
 * later is an override. Getters: any thread, O(1), no lock.
 *
 *     config_t *config;
 *     config_create(&config, pool);
 *     config_load(config, "server.properties");
 *     config_set(config, "num.partitions=3");
 *     if (config_check(config)) ... the lines are in config_problems()
 *     threads = config_int(config, CONFIG_NUM_IO_THREADS);
 */
#ifndef TAKHIN_BASE_CONFIG_H
#define TAKHIN_BASE_CONFIG_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/error.h"

typedef struct config_t config_t;

/* CONFIG_NUM_PARTITIONS (num.partitions of the broker),
 * CONFIG_TOPIC_RETENTION_MS (retention.ms of a topic), and so on. */
typedef enum {
#define PROPERTY_SECTION(title)
#define PROPERTY_IGNORED(name)
#define PROPERTY(id, ...) CONFIG_##id,
#include "base/properties.def"
    CONFIG_COUNT
} config_id_t;

/* Numbers as in a DescribeConfigs answer. */
typedef enum {
    CONFIG_TYPE_BOOLEAN = 1,
    CONFIG_TYPE_STRING = 2,
    CONFIG_TYPE_INT = 3,
    CONFIG_TYPE_SHORT = 4,
    CONFIG_TYPE_LONG = 5,
    CONFIG_TYPE_DOUBLE = 6,
    CONFIG_TYPE_LIST = 7,
    CONFIG_TYPE_CLASS = 8,
    CONFIG_TYPE_PASSWORD = 9
} config_type_t;

typedef enum { CONFIG_SCOPE_BROKER, CONFIG_SCOPE_TOPIC } config_scope_t;

/* Where a value is from; numbers as in a DescribeConfigs answer. */
typedef enum {
    CONFIG_SOURCE_TOPIC = 1,
    CONFIG_SOURCE_DYNAMIC_BROKER = 2,
    CONFIG_SOURCE_DYNAMIC_DEFAULT = 3,
    CONFIG_SOURCE_STATIC = 4, /* the file, or an override */
    CONFIG_SOURCE_DEFAULT = 5,
    CONFIG_SOURCE_LOGGER = 6,
    CONFIG_SOURCE_CLIENT_METRICS = 7,
    CONFIG_SOURCE_GROUP = 8
} config_source_t;

/* How a value's text is checked beyond its type: config_check.c. */
typedef struct {
    const char *allowed; /* words for who wrote something else */
    int (*is_ok)(const char *value, apr_pool_t *scratch);
} config_check_t;

/* One row of properties.def. */
typedef struct {
    config_id_t id;
    config_scope_t scope;
    config_type_t type;
    const char *name;
    const char *default_value; /* NULL: not set */
    const char *description;
    const char *unit;          /* or NULL */
    int64_t min, max;          /* when has_min, has_max */
    const char *other;         /* one number outside of the range, or NULL */
    const char *one_of;        /* "a,b", or NULL */
    const char *from;          /* a topic's: broker properties, or NULL */
    const config_check_t *check;
    unsigned has_min : 1;
    unsigned has_max : 1;
    unsigned any_case : 1;
    unsigned not_empty : 1;
    unsigned dynamic : 1;
    unsigned at_start : 1;
    unsigned own : 1;
    unsigned internal : 1;
    unsigned kafka_has_none : 1;
} property_t;

/* The row of ID. */
const property_t *property_get(config_id_t id);

/* The row of NAME (LENGTH bytes) in SCOPE, or NULL. */
const property_t *property_find(config_scope_t scope, const char *name,
                                apr_size_t length);

/* What a value may be, in words: "a whole number from 1 to 9". */
const char *property_allowed(const property_t *property, apr_pool_t *pool);

/* Whether PROPERTY may have VALUE. */
int property_accepts(const property_t *property, const char *value,
                     apr_pool_t *scratch);

/* A configuration that holds the defaults, allocated in POOL. */
apr_status_t config_create(config_t **config, apr_pool_t *pool);

/*
 * Reads FILE, in the syntax of Java's properties. Wrong lines become problems,
 * and the rest is read nevertheless. TAKHIN_ECONFIG when there was an error,
 * or the status why the file cannot be read, which is a problem too.
 */
apr_status_t config_load(config_t *config, const char *file);

/* Sets one property from "key=value"; it wins over every file. TAKHIN_ECONFIG
 * when the value is refused. */
apr_status_t config_set(config_t *config, const char *assignment);

/*
 * While the broker runs: the getters of numbers and switches return what TEXT
 * says; with NULL, or a TEXT that is not allowed, what was loaded. The others
 * are not changed. Any thread, one at a time; readers see old or new.
 */
void config_override(config_t *config, config_id_t id, const char *text);

/* Checks what concerns more than one property, once all is loaded.
 * TAKHIN_ECONFIG when there is any error, also one of before. */
apr_status_t config_check(config_t *config);

/* A line for people: file, line number, key, what was found, what is allowed.
 * No newline. Passwords are not in it. */
typedef struct {
    int is_error; /* else a warning */
    const char *text;
} config_problem_t;

/* All problems so far, as config_problem_t, in the order they were found. */
const apr_array_header_t *config_problems(const config_t *config);

/*
 * Values. The type must be the property's. Of a topic's property this is the
 * default that the broker gives its topics. "Not set" is NULL, and -1 for
 * numbers: use config_is_set where -1 could be meant.
 */
int config_bool(const config_t *config, config_id_t id);
int32_t config_int(const config_t *config, config_id_t id);   /* and SHORT */
int64_t config_long(const config_t *config, config_id_t id);  /* and INT */
double config_double(const config_t *config, config_id_t id);
const char *config_string(const config_t *config, config_id_t id);
int config_is_set(const config_t *config, config_id_t id);

/* The entries of a LIST, as const char *, allocated in POOL. */
apr_array_header_t *config_list(const config_t *config, config_id_t id,
                                apr_pool_t *pool);

/* log.dirs, or log.dir where that is not set: const char *. */
apr_array_header_t *config_log_dirs(const config_t *config, apr_pool_t *pool);

/* metadata.log.dir, or the first of the log directories. */
const char *config_metadata_dir(const config_t *config, apr_pool_t *pool);

/*
 * The value of one topic: TEXT is what the topic itself sets, or NULL for the
 * broker's default. A TEXT that was not checked (an old metadata log's) and is
 * wrong counts as not set.
 */
int config_topic_bool(const config_t *config, config_id_t id,
                      const char *text);
int64_t config_topic_long(const config_t *config, config_id_t id,
                          const char *text);
double config_topic_double(const config_t *config, config_id_t id,
                           const char *text);
const char *config_topic_string(const config_t *config, config_id_t id,
                                const char *text);

/*
 * Checks one entry of a topic's configuration as CreateTopics and AlterConfigs
 * bring it. Returns NULL, or what is wrong in a message like Kafka's, allocated
 * in POOL. VALUE may be NULL, which is wrong.
 */
const char *config_topic_refusal(const char *name, const char *value,
                                 apr_pool_t *pool);

/* The same for a topic's min.compaction.lag.ms against its
 * max.compaction.lag.ms; NULL is "not set by the topic". */
const char *config_topic_conflict(const config_t *config, const char *min_lag,
                                  const char *max_lag, apr_pool_t *pool);

/* Whether LIST ("a, b") has ENTRY. */
int config_list_has(const char *list, const char *entry);

/* ---- for DescribeConfigs ---- */

/* The value as text, or NULL; normalised: lists without spaces. */
const char *config_text(const config_t *config, config_id_t id);
config_source_t config_source(const config_t *config, config_id_t id);

typedef struct {
    const char *name;
    const char *value;
    config_source_t source;
} config_synonym_t;

#define CONFIG_CHAIN_MAX    3
#define CONFIG_SYNONYMS_MAX (2 * CONFIG_CHAIN_MAX)

/* Fills IDS with the broker's properties that can give ID its value, the
 * strongest first, and returns how many: of log.retention.ms that is itself
 * and those in minutes and hours; of a topic's property its FROM. */
int config_chain(config_id_t id, config_id_t ids[CONFIG_CHAIN_MAX]);

/* Fills SYNONYMS with what those are set to in the file, then with their
 * defaults, and returns how many. */
int config_synonyms(const config_t *config, config_id_t id,
                    config_synonym_t synonyms[CONFIG_SYNONYMS_MAX]);

/* ---- values that have a syntax ---- */

typedef struct {
    const char *name; /* in capitals, as in Kafka */
    const char *host; /* "" is every address; an IPv6 address has no brackets */
    int port;         /* 0 is any */
} config_listener_t;

/* Parses "NAME://HOST:PORT,..." into config_listener_t. TAKHIN_ECONFIG. */
apr_status_t config_parse_listeners(apr_array_header_t **listeners,
                                    const char *text, apr_pool_t *pool);

/* The security protocol of listener NAME, or NULL when it has none. A name of
 * controller.listener.names has PLAINTEXT where the map is not set. */
const char *config_listener_protocol(const config_t *config, const char *name,
                                     apr_pool_t *scratch);

/* ---- documentation ---- */

/* All properties as a page of Markdown, for --help-config and
 * doc/configuration.md. */
const char *config_help(apr_pool_t *pool);

#endif
