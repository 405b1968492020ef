/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration's values: where they come from and who wins. It must never
 * hold a value that the table of properties does not allow.
 */
#include "base/config.h"

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/config_check.h"
#include "base/properties.h"

#define FILE_MAX_BYTES (1024 * 1024)

typedef struct {
    property_value_t parsed; /* text is NULL where it is not set */
    config_source_t source;
    unsigned overridden : 1; /* by config_set: files do not matter any more */
    atomic_u32_t is_dynamic; /* while it runs, the bits below hold */
    atomic_u64_t dynamic;    /* a whole number, or a double's bits */
} value_t;

struct config_t {
    apr_pool_t *pool;
    apr_array_header_t *problems;
    value_t values[CONFIG_COUNT];
    const char *file; /* of the line being read; NULL for an override */
    int line;
};

/* ---- problems ---- */

static void problem(config_t *config, int is_error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void problem(config_t *config, int is_error, const char *format, ...)
{
    config_problem_t *p = apr_array_push(config->problems);
    const char *where = "";
    va_list args;

    if (config->file && config->line)
        where = apr_psprintf(config->pool, "%s:%d: ", config->file,
                             config->line);
    else if (config->file)
        where = apr_pstrcat(config->pool, config->file, ": ", NULL);
    va_start(args, format);
    p->is_error = is_error;
    p->text = apr_pstrcat(config->pool, where, is_error ? "" : "warning: ",
                          apr_pvsprintf(config->pool, format, args), NULL);
    va_end(args);
}

const apr_array_header_t *config_problems(const config_t *config)
{
    return config->problems;
}

/* ---- topics' defaults ---- */

/* One of FROM's broker properties: its id, and what its unit is worth. */
static config_id_t from_next(const char **from, int64_t *factor)
{
    apr_size_t length = strcspn(*from, ",*");
    const property_t *p = property_find(CONFIG_SCOPE_BROKER, *from, length);

    TAKHIN_ASSERT(p != NULL);
    *from += length;
    *factor = 1;
    if (**from == '*') {
        char *end;

        *factor = apr_strtoi64(*from + 1, &end, 10);
        *from = end;
    }
    *from += **from == ',';
    return p->id;
}

/* VALUE in units that are FACTOR times as large; below zero is "no limit". */
static void multiply(property_value_t *value, int64_t factor, apr_pool_t *pool)
{
    if (factor == 1)
        return;
    value->number = value->number < 0                     ? -1
                    : value->number > INT64_MAX / factor ? INT64_MAX
                                                         : value->number *
                                                               factor;
    value->text = apr_psprintf(pool, "%" APR_INT64_T_FMT, value->number);
}

static void inherit(config_t *config, const property_t *p)
{
    const char *from = p->from;

    while (*from) {
        int64_t factor;
        const value_t *value = &config->values[from_next(&from, &factor)];

        if (!value->parsed.text)
            continue;
        config->values[p->id] = *value;
        multiply(&config->values[p->id].parsed, factor, config->pool);
        return;
    }
}

/* Brings the defaults of topics up to date with the broker's properties. */
static void inherit_all(config_t *config)
{
    for (int id = 0; id < CONFIG_COUNT; id++)
        if (property_get(id)->from)
            inherit(config, property_get(id));
}

apr_status_t config_create(config_t **result, apr_pool_t *pool)
{
    config_t *config = apr_pcalloc(pool, sizeof *config);

    config->pool = pool;
    config->problems = apr_array_make(pool, 4, sizeof(config_problem_t));
    for (int id = 0; id < CONFIG_COUNT; id++) {
        const property_t *p = property_get(id);
        value_t *value = &config->values[id];

        value->source = CONFIG_SOURCE_DEFAULT;
        if (p->default_value)
            TAKHIN_ASSERT(property_parse(p, p->default_value, &value->parsed,
                                         pool));
        else
            value->parsed.number = -1, value->parsed.real = -1;
    }
    inherit_all(config);
    *result = config;
    return APR_SUCCESS;
}

/* ---- loading ---- */

static void refuse(config_t *config, const property_t *p, const char *text)
{
    problem(config, 1, "%s: found %s%s%s, allowed is %s", p->name,
            p->type == CONFIG_TYPE_PASSWORD ? "" : "\"",
            p->type == CONFIG_TYPE_PASSWORD ? "[hidden]" : text,
            p->type == CONFIG_TYPE_PASSWORD ? "" : "\"",
            property_allowed(p, config->pool));
}

static apr_status_t assign(config_t *config, const char *key, const char *text,
                           int is_override)
{
    const property_t *p =
        property_find(CONFIG_SCOPE_BROKER, key, strlen(key));
    property_value_t parsed;
    value_t *value;

    if (!p) {
        problem(config, 0, property_is_ignored(key)
                               ? "%s: has no effect here, only on Kafka"
                               : "%s: unknown key, ignored", key);
        return APR_SUCCESS;
    }
    if (!property_parse(p, text, &parsed, config->pool)) {
        refuse(config, p, text);
        return TAKHIN_ECONFIG;
    }
    value = &config->values[p->id];
    if (value->overridden && !is_override)
        return APR_SUCCESS;
    value->parsed = parsed;
    value->source = CONFIG_SOURCE_STATIC;
    value->overridden = is_override != 0;
    return APR_SUCCESS;
}

/* Puts the character with CODE at OUT, in UTF-8, and returns the end. */
static char *put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* Reads the escape behind a backslash at IN; its text is never longer. */
static const char *unescape(const char *in, char **out)
{
    unsigned code = 0;
    int i;

    switch (*in) {
    case 't':
        *(*out)++ = '\t';
        return in + 1;
    case 'n':
        *(*out)++ = '\n';
        return in + 1;
    case 'r':
        *(*out)++ = '\r';
        return in + 1;
    case 'f':
        *(*out)++ = '\f';
        return in + 1;
    case 'u':
        for (i = 1; i <= 4 && apr_isxdigit(in[i]); i++)
            code = code * 16 + (unsigned)(apr_isdigit(in[i])
                                              ? in[i] - '0'
                                              : apr_tolower(in[i]) - 'a' + 10);
        if (i == 5 && code) {
            *out = put_utf8(*out, code);
            return in + 5;
        }
        break;
    }
    if (*in)
        *(*out)++ = *in++;
    return in;
}

/* Splits LINE in place into *KEY and *VALUE, escapes resolved. */
static void split_line(char *line, char **key, char **value)
{
    const char *in = line;
    char *out = line;

    *key = line;
    while (*in && *in != '=' && *in != ':' && *in != ' ' && *in != '\t' &&
           *in != '\f') {
        if (*in == '\\')
            in = unescape(in + 1, &out);
        else
            *out++ = *in++;
    }
    in += strspn(in, " \t\f");
    if (*in == '=' || *in == ':')
        in++;
    in += strspn(in, " \t\f");
    *out++ = '\0'; /* in stands behind it, or at the end, where out is too */
    *value = out;
    if (out > in) {
        *value = out - 1;
        return;
    }
    while (*in) {
        if (*in == '\\')
            in = unescape(in + 1, &out);
        else
            *out++ = *in++;
    }
    *out = '\0';
}

/* Whether LINE ends with an odd number of backslashes: it goes on. */
static int goes_on(const char *line, apr_size_t length)
{
    apr_size_t count = 0;

    while (count < length && line[length - 1 - count] == '\\')
        count++;
    return count % 2;
}

/*
 * Takes one logical line off TEXT: natural lines that are joined by a
 * backslash, comments and blank lines skipped. NULL at the end; sets
 * *FIRST_LINE to its line number and moves *LINE on.
 */
static char *next_line(char **text, int *line, int *first_line,
                       apr_pool_t *pool)
{
    char *result = NULL;

    while (**text) {
        char *start = *text + strspn(*text, " \t\f");
        apr_size_t length = strcspn(start, "\r\n");
        char *end = start + length;
        int more = goes_on(start, length);

        *text = end + (*end == '\r' && end[1] == '\n') + (*end != '\0');
        ++*line;
        if (!result && (!length || *start == '#' || *start == '!'))
            continue;
        if (!result)
            *first_line = *line;
        start = apr_pstrmemdup(pool, start, length - (apr_size_t)more);
        result = result ? apr_pstrcat(pool, result, start, NULL) : start;
        if (!more)
            break;
    }
    return result;
}

static apr_status_t read_text(char **text, const char *file, apr_pool_t *pool)
{
    apr_file_t *handle;
    apr_finfo_t info;
    apr_status_t status;
    apr_size_t length;

    status = apr_file_open(&handle, file, APR_FOPEN_READ | APR_FOPEN_BINARY,
                           APR_FPROT_OS_DEFAULT, pool);
    if (status)
        return status;
    status = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, handle);
    if (!status && (info.filetype == APR_DIR || info.size > FILE_MAX_BYTES))
        status = TAKHIN_ETOOBIG;
    if (!status) {
        *text = apr_pcalloc(pool, FILE_MAX_BYTES + 1);
        status = apr_file_read_full(handle, *text, FILE_MAX_BYTES, &length);
        if (APR_STATUS_IS_EOF(status))
            status = APR_SUCCESS;
    }
    apr_file_close(handle); /* only read from: nothing can be lost */
    return status;
}

apr_status_t config_load(config_t *config, const char *file)
{
    apr_status_t status, result;
    char *text, *line, *key, *value;
    int number = 0;
    apr_pool_t *scratch;

    apr_pool_create(&scratch, config->pool);
    config->file = apr_pstrdup(config->pool, file);
    config->line = 0;
    result = read_text(&text, file, scratch);
    if (result) {
        problem(config, 1, "cannot be read: %s",
                takhin_strerror(result, (char[128]){0}, 128));
    } else {
        if (!strncmp(text, "\xef\xbb\xbf", 3))
            text += 3;
        while ((line = next_line(&text, &number, &config->line, scratch))) {
            split_line(line, &key, &value);
            status = assign(config, key, value, 0);
            result = result ? result : status;
        }
    }
    config->file = NULL;
    apr_pool_destroy(scratch);
    inherit_all(config);
    return result;
}

apr_status_t config_set(config_t *config, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    apr_status_t status;

    config->file = "--set";
    config->line = 0;
    if (!equals || equals == assignment) {
        problem(config, 1, "found \"%s\", allowed is key=value", assignment);
        status = TAKHIN_ECONFIG;
    } else {
        status = assign(config,
                        apr_pstrmemdup(config->pool, assignment,
                                       (apr_size_t)(equals - assignment)),
                        equals + 1, 1);
    }
    config->file = NULL;
    inherit_all(config);
    return status;
}

/* ---- checks of more than one ---- */

static void check_order(config_t *config, config_id_t low, config_id_t high)
{
    if (config_long(config, low) > config_long(config, high))
        problem(config, 1, "%s: found %s, allowed is at most %s, which is %s",
                property_get(low)->name, config_text(config, low),
                property_get(high)->name, config_text(config, high));
}

static void check_listener_names(config_t *config, config_id_t id)
{
    apr_array_header_t *listeners;

    if (!config_is_set(config, id))
        return;
    /* the value has been checked */
    TAKHIN_ASSERT(!config_parse_listeners(&listeners, config_string(config, id),
                                          config->pool));
    for (int i = 0; i < listeners->nelts; i++) {
        const char *name = APR_ARRAY_IDX(listeners, i, config_listener_t).name;

        if (!config_listener_protocol(config, name, config->pool))
            problem(config, 1, "%s: found the listener %s, which has no "
                    "protocol in listener.security.protocol.map",
                    property_get(id)->name, name);
    }
}

apr_status_t config_check(config_t *config)
{
    static const config_id_t orders[][2] = {
        {CONFIG_GROUP_MIN_SESSION_TIMEOUT_MS,
         CONFIG_GROUP_MAX_SESSION_TIMEOUT_MS},
        {CONFIG_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS,
         CONFIG_GROUP_CONSUMER_SESSION_TIMEOUT_MS},
        {CONFIG_GROUP_CONSUMER_SESSION_TIMEOUT_MS,
         CONFIG_GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS},
        {CONFIG_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS,
         CONFIG_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS},
        {CONFIG_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS,
         CONFIG_GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS},
        {CONFIG_LOG_CLEANER_MIN_COMPACTION_LAG_MS,
         CONFIG_LOG_CLEANER_MAX_COMPACTION_LAG_MS},
    };

    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        check_order(config, orders[i][0], orders[i][1]);
    check_listener_names(config, CONFIG_LISTENERS);
    check_listener_names(config, CONFIG_ADVERTISED_LISTENERS);
    for (int i = 0; i < config->problems->nelts; i++)
        if (APR_ARRAY_IDX(config->problems, i, config_problem_t).is_error)
            return TAKHIN_ECONFIG;
    return APR_SUCCESS;
}

const char *config_topic_conflict(const config_t *config, const char *min_lag,
                                  const char *max_lag, apr_pool_t *pool)
{
    int64_t min = config_topic_long(
        config, CONFIG_TOPIC_MIN_COMPACTION_LAG_MS, min_lag);
    int64_t max = config_topic_long(
        config, CONFIG_TOPIC_MAX_COMPACTION_LAG_MS, max_lag);

    if (min <= max)
        return NULL;
    return apr_psprintf(pool, "min.compaction.lag.ms (%" APR_INT64_T_FMT
                        ") is above max.compaction.lag.ms (%"
                        APR_INT64_T_FMT ")", min, max);
}

/* ---- getters ---- */

static const property_value_t *get(const config_t *config, config_id_t id)
{
    TAKHIN_ASSERT((unsigned)id < CONFIG_COUNT);
    return &config->values[id].parsed;
}

void config_override(config_t *config, config_id_t id, const char *text)
{
    const property_t *property = property_get(id);
    value_t *value = &config->values[id];
    property_value_t parsed;
    apr_uint64_t bits;
    apr_pool_t *scratch;
    int ok;

    if (text == NULL) {
        atomic_set32(&value->is_dynamic, 0);
        return;
    }
    apr_pool_create(&scratch, NULL);
    ok = property_parse(property, text, &parsed, scratch);
    apr_pool_destroy(scratch);
    bits = (apr_uint64_t)parsed.number;
    if (ok && property->type == CONFIG_TYPE_DOUBLE)
        memcpy(&bits, &parsed.real, sizeof bits);
    atomic_set64(&value->dynamic, bits);
    atomic_set32(&value->is_dynamic, ok != 0);
}

static int64_t get_number(const config_t *config, config_id_t id)
{
    const value_t *value = &config->values[id];

    TAKHIN_ASSERT((unsigned)id < CONFIG_COUNT);
    return atomic_get32(&value->is_dynamic)
               ? (int64_t)atomic_get64(&value->dynamic)
               : value->parsed.number;
}

int config_bool(const config_t *config, config_id_t id)
{
    TAKHIN_ASSERT(property_get(id)->type == CONFIG_TYPE_BOOLEAN);
    return (int)get_number(config, id);
}

int32_t config_int(const config_t *config, config_id_t id)
{
    config_type_t type = property_get(id)->type;

    TAKHIN_ASSERT(type == CONFIG_TYPE_INT || type == CONFIG_TYPE_SHORT);
    return (int32_t)get_number(config, id);
}

int64_t config_long(const config_t *config, config_id_t id)
{
    config_type_t type = property_get(id)->type;

    TAKHIN_ASSERT(type == CONFIG_TYPE_INT || type == CONFIG_TYPE_SHORT ||
                  type == CONFIG_TYPE_LONG);
    return get_number(config, id);
}

double config_double(const config_t *config, config_id_t id)
{
    const value_t *value = &config->values[id];
    apr_uint64_t bits;
    double real;

    TAKHIN_ASSERT(property_get(id)->type == CONFIG_TYPE_DOUBLE);
    if (!atomic_get32(&value->is_dynamic))
        return value->parsed.real;
    bits = atomic_get64(&value->dynamic);
    memcpy(&real, &bits, sizeof real);
    return real;
}

const char *config_string(const config_t *config, config_id_t id)
{
    return get(config, id)->text;
}

const char *config_text(const config_t *config, config_id_t id)
{
    return get(config, id)->text;
}

int config_is_set(const config_t *config, config_id_t id)
{
    return get(config, id)->text != NULL;
}

config_source_t config_source(const config_t *config, config_id_t id)
{
    return config->values[id].source;
}

apr_array_header_t *config_list(const config_t *config, config_id_t id,
                                apr_pool_t *pool)
{
    const char *text = get(config, id)->text;

    return config_split(text ? text : "", pool);
}

apr_array_header_t *config_log_dirs(const config_t *config, apr_pool_t *pool)
{
    return config_list(config,
                       config_is_set(config, CONFIG_LOG_DIRS) ? CONFIG_LOG_DIRS
                                                              : CONFIG_LOG_DIR,
                       pool);
}

const char *config_metadata_dir(const config_t *config, apr_pool_t *pool)
{
    if (config_is_set(config, CONFIG_METADATA_LOG_DIR))
        return config_string(config, CONFIG_METADATA_LOG_DIR);
    return APR_ARRAY_IDX(config_log_dirs(config, pool), 0, const char *);
}

int config_list_has(const char *list, const char *entry)
{
    apr_size_t length = strlen(entry);

    while (list) {
        apr_size_t size;

        list += strspn(list, " \t");
        size = strcspn(list, ",");
        while (size && apr_isspace(list[size - 1]))
            size--;
        if (size == length && !strncmp(list, entry, length))
            return 1;
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
    return 0;
}

/* ---- one topic ---- */

/*
 * Sets *VALUE to the topic's TEXT, or to the broker's default. The text of
 * *VALUE is not to be used: its memory is gone.
 */
static void topic_value(const config_t *config, config_id_t id,
                        const char *text, property_value_t *value)
{
    const property_t *p = property_get(id);
    apr_pool_t *scratch;

    TAKHIN_ASSERT(p->scope == CONFIG_SCOPE_TOPIC);
    if (text) {
        int ok;

        apr_pool_create(&scratch, NULL);
        ok = property_parse(p, text, value, scratch);
        apr_pool_destroy(scratch);
        if (ok)
            return;
    }
    *value = *get(config, id);
}

int config_topic_bool(const config_t *config, config_id_t id, const char *text)
{
    property_value_t value;

    TAKHIN_ASSERT(property_get(id)->type == CONFIG_TYPE_BOOLEAN);
    topic_value(config, id, text, &value);
    return (int)value.number;
}

int64_t config_topic_long(const config_t *config, config_id_t id,
                          const char *text)
{
    config_type_t type = property_get(id)->type;
    property_value_t value;

    TAKHIN_ASSERT(type == CONFIG_TYPE_INT || type == CONFIG_TYPE_LONG);
    topic_value(config, id, text, &value);
    return value.number;
}

double config_topic_double(const config_t *config, config_id_t id,
                           const char *text)
{
    property_value_t value;

    TAKHIN_ASSERT(property_get(id)->type == CONFIG_TYPE_DOUBLE);
    topic_value(config, id, text, &value);
    return value.real;
}

const char *config_topic_string(const config_t *config, config_id_t id,
                                const char *text)
{
    property_value_t value;
    const property_t *p = property_get(id);
    apr_pool_t *scratch;
    int ok;

    TAKHIN_ASSERT(p->scope == CONFIG_SCOPE_TOPIC);
    if (!text)
        return get(config, id)->text;
    apr_pool_create(&scratch, NULL);
    ok = property_parse(p, text, &value, scratch);
    apr_pool_destroy(scratch);
    return ok ? text : get(config, id)->text;
}

/* ---- synonyms ---- */

static void add_synonym(config_synonym_t *synonyms, int *count,
                        const char *name, const char *value,
                        config_source_t source)
{
    if (!value)
        return;
    TAKHIN_ASSERT(*count < CONFIG_SYNONYMS_MAX);
    synonyms[(*count)++] = (config_synonym_t){name, value, source};
}

/* Fills IDS with the properties of topic property P's FROM. */
static int from_list(const property_t *p, config_id_t ids[CONFIG_CHAIN_MAX])
{
    const char *from = p->from;
    int64_t factor;
    int count = 0;

    while (from && *from) {
        TAKHIN_ASSERT(count < CONFIG_CHAIN_MAX);
        ids[count++] = from_next(&from, &factor);
    }
    return count;
}

int config_chain(config_id_t id, config_id_t ids[CONFIG_CHAIN_MAX])
{
    if (property_get(id)->scope == CONFIG_SCOPE_TOPIC)
        return from_list(property_get(id), ids);
    for (config_id_t topic = 0; topic < CONFIG_COUNT; topic++) {
        int count = from_list(property_get(topic), ids);

        for (int i = 0; i < count; i++)
            if (ids[i] == id)
                return count;
    }
    ids[0] = id;
    return 1;
}

int config_synonyms(const config_t *config, config_id_t id,
                    config_synonym_t synonyms[CONFIG_SYNONYMS_MAX])
{
    config_id_t ids[CONFIG_CHAIN_MAX];
    int count = 0, n = config_chain(id, ids);

    for (int i = 0; i < n; i++)
        if (config->values[ids[i]].source == CONFIG_SOURCE_STATIC)
            add_synonym(synonyms, &count, property_get(ids[i])->name,
                        config->values[ids[i]].parsed.text,
                        CONFIG_SOURCE_STATIC);
    for (int i = 0; i < n; i++)
        add_synonym(synonyms, &count, property_get(ids[i])->name,
                    property_get(ids[i])->default_value,
                    CONFIG_SOURCE_DEFAULT);
    return count;
}
