/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topic names against RE2's syntax, by PCRE2. PCRE2 knows more than RE2: what
 * RE2 refuses (look-around, back-references, recursion, possessive and atomic
 * groups, callouts, verbs) is refused here before PCRE2 sees it; what is left
 * means the same in both. The DFA matcher never goes back, so no expression
 * takes exponential time; its memory is bounded by the workspace, and an
 * expression that needs more matches nothing.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <apr_strings.h>

#include "coordinator/memory.h"
#include "coordinator/topic_regex.h"

enum {
    MAX_REPEAT = 1000,      /* as RE2 */
    WORKSPACE = 16384       /* ints */
};

struct topic_regex_t {
    pcre2_code *code;
    pcre2_match_data *match;
    int workspace[WORKSPACE];
};

/* ---- RE2's syntax -------------------------------------------------------- */

/* What RE2 has behind a backslash, beside punctuation and octals. */
static int is_escape(char c, int in_class)
{
    return strchr(in_class ? "adDsSwWfnrtvxpP" : "adDsSwWfnrtvxpPAzbBCQE", c) !=
           NULL;
}

static int is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static const char *escape_error(char c, int in_class)
{
    if (c >= '1' && c <= '9')
        return "back-references are not supported";
    if (c != '0' && is_alphanumeric(c) && !is_escape(c, in_class))
        return "invalid escape sequence";
    return NULL;
}

/* A group's opening, behind "(?". */
static const char *group_error(const char *p, const char *end)
{
    if (p < end && *p == 'P')
        return p + 1 < end && p[1] == '<' ? NULL
                                          : "invalid named group";
    if (p + 1 < end && *p == '<')
        return p[1] == '=' || p[1] == '!' ? "look-behind is not supported"
                                          : NULL;
    while (p < end && strchr("imsU-", *p))
        p++;
    return p < end && (*p == ':' || *p == ')') ? NULL
                                               : "invalid group syntax";
}

/* The larger number of "{n,m}" at P, or -1 where that is no repetition. */
static int repeat_at(const char *p, const char *end)
{
    int number = 0, most = -1;

    for (p++; p < end && *p != '}'; p++) {
        if (*p == ',') {
            number = 0;
        } else if (*p >= '0' && *p <= '9') {
            number = number > MAX_REPEAT ? number : 10 * number + (*p - '0');
            most = number > most ? number : most;
        } else {
            return -1;
        }
    }
    return p < end ? most : -1;
}

typedef struct {
    const char *p, *end;
    int in_class;
    int repeated;           /* the last token was a repetition */
} scan_t;

/* A repetition may be followed by one '?', by nothing else that repeats. */
static const char *repeat_error(scan_t *scan)
{
    if (scan->repeated)
        return "invalid nested repetition operator";
    scan->repeated = 1;
    if (scan->p + 1 < scan->end && scan->p[1] == '?')
        scan->p++;
    return NULL;
}

static const char *token_error(scan_t *scan)
{
    char c = *scan->p;
    int repeat;

    if (c == '\\') {
        scan->repeated = 0;
        if (++scan->p == scan->end)
            return "trailing backslash";
        return escape_error(*scan->p, scan->in_class);
    }
    if (scan->in_class) {
        if (c == ']')
            scan->in_class = 0;
        return NULL;
    }
    if (strchr("*+?", c))
        return repeat_error(scan);
    if (c == '{' && (repeat = repeat_at(scan->p, scan->end)) >= 0) {
        if (repeat > MAX_REPEAT)
            return "invalid repetition size";
        while (*scan->p != '}')
            scan->p++;
        return repeat_error(scan);
    }
    scan->repeated = 0;
    if (c == '[') {
        scan->in_class = 1;
        /* A ']' that comes first is one of the class. */
        if (scan->p + 1 < scan->end && scan->p[1] == '^')
            scan->p++;
        if (scan->p + 1 < scan->end && scan->p[1] == ']')
            scan->p++;
    }
    if (c == '(' && scan->p + 1 < scan->end && scan->p[1] == '*')
        return "missing argument to repetition operator";
    if (c == '(' && scan->p + 1 < scan->end && scan->p[1] == '?')
        return group_error(scan->p + 2, scan->end);
    return NULL;
}

static const char *syntax_error(wire_string_t text)
{
    scan_t scan = { text.data, text.data + text.length, 0, 0 };

    for (; scan.p < scan.end; scan.p++) {
        const char *error = token_error(&scan);

        if (error)
            return error;
        if (*scan.p == '(' && scan.p + 1 < scan.end && scan.p[1] == '?')
            scan.p++; /* the group's question mark repeats nothing */
    }
    return NULL;
}

/* ---- matching ------------------------------------------------------------ */

topic_regex_t *topic_regex_compile(wire_string_t text, const char **error,
                                   apr_pool_t *pool)
{
    const char *why = syntax_error(text);
    topic_regex_t *regex;
    pcre2_code *code;
    PCRE2_SIZE at;
    PCRE2_UCHAR message[128];
    int number;

    if (why) {
        *error = why;
        return NULL;
    }
    code = pcre2_compile((PCRE2_SPTR)text.data, (PCRE2_SIZE)text.length,
                         PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF |
                             PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
                         &number, &at, NULL);
    if (!code) {
        pcre2_get_error_message(number, message, sizeof message);
        *error = apr_psprintf(pool, "%s at position %d", (char *)message,
                              (int)at);
        return NULL;
    }
    regex = memory_new(sizeof *regex);
    regex->code = code;
    regex->match = pcre2_match_data_create(1, NULL);
    TAKHIN_ASSERT(regex->match != NULL);
    return regex;
}

void topic_regex_free(topic_regex_t *regex)
{
    pcre2_match_data_free(regex->match);
    pcre2_code_free(regex->code);
    free(regex);
}

/* 0 says that it matches in more ways than there is room to tell. */
int topic_regex_matches(topic_regex_t *regex, const char *name,
                        apr_size_t length)
{
    return pcre2_dfa_match(regex->code, (PCRE2_SPTR)name, length, 0,
                           PCRE2_ANCHORED | PCRE2_ENDANCHORED, regex->match,
                           NULL, regex->workspace, WORKSPACE) >= 0;
}
