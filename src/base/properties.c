/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of properties in memory: finding a row, checking a value against
 * it, describing it. It must not know a configuration's values.
 */
#include "base/properties.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/config_check.h"

/* The constraints of properties.def. */
#define UNIT(text)     .unit = (text)
#define AT_LEAST(n)    .has_min = 1, .min = (n)
#define RANGE(n, m)    .has_min = 1, .has_max = 1, .min = (n), .max = (m)
#define OR(text)       .other = (text)
#define ONE_OF(list)   .one_of = (list)
#define ANY_CASE       .any_case = 1
#define NOT_EMPTY      .not_empty = 1
#define CHECK(name)    .check = &check_##name
#define DYNAMIC        .dynamic = 1
#define AT_START       .at_start = 1
#define OWN            .own = 1
#define INTERNAL       .internal = 1
#define KAFKA_HAS_NONE .kafka_has_none = 1
#define FROM(list)     .from = (list)

#define PROPERTY_SECTION(title)
#define PROPERTY_IGNORED(name)
#define PROPERTY(id_, scope_, type_, name_, default_, description_, ...)       \
    [CONFIG_##id_] = {.id = CONFIG_##id_,                                      \
                      .scope = CONFIG_SCOPE_##scope_,                          \
                      .type = CONFIG_TYPE_##type_,                             \
                      .name = (name_),                                         \
                      .default_value = (default_),                             \
                      .description = (description_),                           \
                      __VA_ARGS__},

static const property_t properties[CONFIG_COUNT] = {
#include "base/properties.def"
};

#define PROPERTY_SECTION(title)
#define PROPERTY_IGNORED(name) name,
#define PROPERTY(...)

static const char *const ignored[] = {
#include "base/properties.def"
};

const property_t *property_get(config_id_t id)
{
    TAKHIN_ASSERT((unsigned)id < CONFIG_COUNT);
    return &properties[id];
}

const property_t *property_find(config_scope_t scope, const char *name,
                                apr_size_t length)
{
    for (int i = 0; i < CONFIG_COUNT; i++)
        if (properties[i].scope == scope &&
            !strncmp(properties[i].name, name, length) &&
            !properties[i].name[length])
            return &properties[i];
    return NULL;
}

int property_is_ignored(const char *name)
{
    /* settings of one listener only */
    if (!strncmp(name, "listener.name.", 14))
        return 1;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (!strcmp(ignored[i], name))
            return 1;
    return 0;
}

/* ---- values ---- */

static int parse_boolean(const char *text, property_value_t *value)
{
    value->number = !apr_cstr_casecmp(text, "true");
    return value->number || !apr_cstr_casecmp(text, "false");
}

/* A whole decimal number that fits PROPERTY's type. */
static int parse_whole(config_type_t type, const char *text,
                       property_value_t *value)
{
    const char *digits = text + (*text == '-' || *text == '+');
    char *end;

    if (!apr_isdigit(*digits))
        return 0;
    errno = 0;
    value->number = apr_strtoi64(text, &end, 10);
    if (errno || *end)
        return 0;
    if (type == CONFIG_TYPE_INT)
        return value->number == (int32_t)value->number;
    if (type == CONFIG_TYPE_SHORT)
        return value->number == (int16_t)value->number;
    return 1;
}

static int parse_double(const char *text, property_value_t *value)
{
    char *end;

    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text))
        return 0;
    value->real = strtod(text, &end);
    return !*end && isfinite(value->real);
}

static int is_in_range(const property_t *p, const char *text,
                       const property_value_t *value)
{
    if (p->other && !strcmp(text, p->other))
        return 1;
    if (p->type == CONFIG_TYPE_DOUBLE)
        return (!p->has_min || value->real >= (double)p->min) &&
               (!p->has_max || value->real <= (double)p->max);
    return (!p->has_min || value->number >= p->min) &&
           (!p->has_max || value->number <= p->max);
}

/* Whether TEXT is one of the comma-separated words of P->one_of. */
static int is_one_of(const property_t *p, const char *text)
{
    const char *word = p->one_of;
    apr_size_t length = strlen(text);

    while (word) {
        const char *end = word + strcspn(word, ",");

        if ((apr_size_t)(end - word) == length &&
            (p->any_case ? !apr_cstr_casecmpn(word, text, length)
                         : !strncmp(word, text, length)))
            return 1;
        word = *end ? end + 1 : NULL;
    }
    return 0;
}

/* Checks the entries of a list and rewrites it without white space. */
static int parse_list(const property_t *p, const char *text,
                      property_value_t *value, apr_pool_t *pool)
{
    apr_array_header_t *entries = config_split(text, pool);

    if (p->not_empty && !entries->nelts)
        return 0;
    for (int i = 0; i < entries->nelts; i++) {
        const char *entry = APR_ARRAY_IDX(entries, i, const char *);

        if (!*entry || (p->one_of && !is_one_of(p, entry)))
            return 0;
    }
    value->text = apr_array_pstrcat(pool, entries, ',');
    return 1;
}

int property_parse(const property_t *p, const char *text,
                   property_value_t *value, apr_pool_t *pool)
{
    char *trimmed = apr_pstrdup(pool, text);
    int ok = 1;

    while (apr_isspace(*trimmed))
        trimmed++;
    for (apr_size_t n = strlen(trimmed); n && apr_isspace(trimmed[n - 1]);)
        trimmed[--n] = '\0';
    memset(value, 0, sizeof *value);
    value->text = trimmed;
    switch (p->type) {
    case CONFIG_TYPE_BOOLEAN:
        ok = parse_boolean(trimmed, value);
        value->text = value->number ? "true" : "false";
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SHORT:
    case CONFIG_TYPE_LONG:
        ok = parse_whole(p->type, trimmed, value) &&
             is_in_range(p, trimmed, value);
        break;
    case CONFIG_TYPE_DOUBLE:
        ok = parse_double(trimmed, value) && is_in_range(p, trimmed, value);
        break;
    case CONFIG_TYPE_LIST:
        ok = parse_list(p, trimmed, value, pool);
        break;
    case CONFIG_TYPE_PASSWORD:
        value->text = text; /* white space belongs to it */
        break;
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_CLASS:
        ok = !p->one_of || is_one_of(p, trimmed);
        break;
    }
    return ok && (!p->check || p->check->is_ok(value->text, pool));
}

int property_accepts(const property_t *property, const char *value,
                     apr_pool_t *scratch)
{
    property_value_t parsed;

    return property_parse(property, value, &parsed, scratch);
}

/* ---- words ---- */

/* LIST with a space behind each comma. */
static const char *words(const char *list, apr_pool_t *pool)
{
    apr_array_header_t *entries = config_split(list, pool);
    const char *text = "";

    for (int i = 0; i < entries->nelts; i++)
        text = apr_pstrcat(pool, text, i ? ", " : "",
                           APR_ARRAY_IDX(entries, i, const char *), NULL);
    return text;
}

/* "from 1 to 9", "of 1 or more", or "". */
static const char *range(const property_t *p, apr_pool_t *pool)
{
    const char *text = "";

    if (p->has_min && p->has_max)
        text = apr_psprintf(pool, " from %" APR_INT64_T_FMT " to %"
                            APR_INT64_T_FMT, p->min, p->max);
    else if (p->has_min)
        text = apr_psprintf(pool, " of %" APR_INT64_T_FMT " or more", p->min);
    else if (p->type == CONFIG_TYPE_INT)
        text = " that fits 32 bits";
    else if (p->type == CONFIG_TYPE_SHORT)
        text = " that fits 16 bits";
    return p->other ? apr_pstrcat(pool, text, ", or ", p->other, NULL) : text;
}

const char *property_allowed(const property_t *p, apr_pool_t *pool)
{
    if (p->check)
        return p->check->allowed;
    if (p->one_of)
        return apr_pstrcat(pool,
                           p->type != CONFIG_TYPE_LIST ? "one of "
                           : p->not_empty ? "one or more of "
                                          : "a list of ",
                           words(p->one_of, pool), NULL);
    switch (p->type) {
    case CONFIG_TYPE_BOOLEAN:
        return "true or false";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SHORT:
    case CONFIG_TYPE_LONG:
        return apr_pstrcat(pool, "a whole number", range(p, pool), NULL);
    case CONFIG_TYPE_DOUBLE:
        return apr_pstrcat(pool, "a number", range(p, pool), NULL);
    case CONFIG_TYPE_LIST:
        return p->not_empty ? "a list that is not empty" : "a list";
    default:
        return "text";
    }
}

const char *config_topic_refusal(const char *name, const char *value,
                                 apr_pool_t *pool)
{
    const property_t *p =
        property_find(CONFIG_SCOPE_TOPIC, name, strlen(name));

    if (!p)
        return apr_psprintf(pool, "Unknown topic config name: %s", name);
    if (!value)
        return apr_psprintf(pool, "Null value not supported for topic config: "
                            "%s", name);
    if (!property_accepts(p, value, pool))
        return apr_psprintf(pool, "Invalid value %s for configuration %s: "
                            "allowed is %s", value, name,
                            property_allowed(p, pool));
    return NULL;
}

/* ---- documentation ---- */

#define PROPERTY_SECTION(title) {title, CONFIG_COUNT},
#define PROPERTY_IGNORED(name)
#define PROPERTY(id, ...) {NULL, CONFIG_##id},

static const struct {
    const char *section; /* a title, or NULL */
    config_id_t id;
} page[] = {
#include "base/properties.def"
};

/* Appends TEXT to LINES, broken before 80 columns, indented by two. */
static void wrap(apr_array_header_t *lines, const char *text)
{
    apr_size_t column = 0;

    while (*text) {
        apr_size_t length = strcspn(text, " ");
        const char *before = !lines->nelts || !column ? "" : " ";

        if (column && column + 1 + length > 79) {
            before = "\n  ";
            column = 2;
        } else {
            column += column != 0;
        }
        APR_ARRAY_PUSH(lines, const char *) = before;
        APR_ARRAY_PUSH(lines, const char *) =
            apr_pstrmemdup(lines->pool, text, length);
        column += length;
        text += length;
        text += *text == ' ';
    }
    APR_ARRAY_PUSH(lines, const char *) = "\n";
}

static const char *default_words(const property_t *p, apr_pool_t *pool)
{
    if (!p->default_value)
        return "not set by default";
    if (!*p->default_value)
        return "empty by default";
    return apr_psprintf(pool, "default `%s`%s", p->default_value,
                        p->kafka_has_none ? " (Kafka has none)" : "");
}

/* Whether what is allowed says more than the type. */
static int is_constrained(const property_t *p)
{
    return p->check || p->one_of || p->has_min || p->has_max || p->not_empty;
}

static void describe(apr_array_header_t *lines, const property_t *p)
{
    static const char *const types[] = {
        [CONFIG_TYPE_BOOLEAN] = "boolean", [CONFIG_TYPE_STRING] = "string",
        [CONFIG_TYPE_INT] = "int",         [CONFIG_TYPE_SHORT] = "short",
        [CONFIG_TYPE_LONG] = "long",       [CONFIG_TYPE_DOUBLE] = "double",
        [CONFIG_TYPE_LIST] = "list",       [CONFIG_TYPE_CLASS] = "class",
        [CONFIG_TYPE_PASSWORD] = "password"};
    apr_pool_t *pool = lines->pool;

    wrap(lines, apr_psprintf(
        pool, "- `%s` (%s%s%s%s; %s): %s%s%s%s", p->name, types[p->type],
        p->unit ? ", " : "", p->unit ? p->unit : "",
        is_constrained(p)
            ? apr_pstrcat(pool, "; ", property_allowed(p, pool), NULL) : "",
        default_words(p, pool), p->description,
        p->own ? " Takhin's own." : "",
        p->from ? " Default from " : "",
        p->from ? apr_pstrcat(pool, words(p->from, pool), ".", NULL) : ""));
}

const char *config_help(apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 4096, sizeof(char *));

    APR_ARRAY_PUSH(lines, const char *) =
        "# Configuration\n\n"
        "A configuration file has lines `key=value`; `--set key=value` wins "
        "over it.\nNames and defaults are those of Apache Kafka 4.3, except "
        "where an entry says\nthat it is Takhin's own. What follows the name "
        "is the type, what is allowed,\nand the default. This page is what "
        "`takhind --help-config` prints.\n";
    for (size_t i = 0; i < sizeof page / sizeof *page; i++) {
        if (page[i].section)
            APR_ARRAY_PUSH(lines, const char *) = apr_psprintf(
                pool, "\n## %s\n\n", page[i].section);
        else
            describe(lines, &properties[page[i].id]);
    }
    return apr_array_pstrcat(pool, lines, 0);
}
