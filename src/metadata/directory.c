/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta.properties and quorum-state. Only what Kafka itself writes into them is
 * read, but any order, spacing and unknown keys are accepted.
 */
#include "metadata/directory.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"

#define META_FILE   "meta.properties"
#define QUORUM_FILE "quorum-state"
#define SMALL_FILE  (64 * 1024) /* bytes: above it, it is not one of these */

static apr_status_t read_small(const char *path, char **text, apr_pool_t *pool)
{
    apr_size_t length;

    return fs_read_whole(path, SMALL_FILE, text, &length, pool);
}

static apr_status_t refuse(const char **error, apr_pool_t *pool,
                           const char *file, const char *what)
{
    *error = apr_psprintf(pool, "%s: %s", file, what);
    return TAKHIN_ECORRUPT;
}

/* ---- meta.properties ----------------------------------------------------- */

/* Java's properties escape a few characters with a backslash. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        *to++ = *text;
    }
    *to = '\0';
}

static char *trim(char *text)
{
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

static int read_number(const char *text, int64_t least, int64_t most,
                       int64_t *number)
{
    char *end;

    *number = apr_strtoi64(text, &end, 10);
    return end != text && *end == '\0' && *number >= least && *number <= most;
}

/* What meta.properties said, before it is judged. */
typedef struct {
    const char *version;
    const char *cluster_id;
    const char *node_id;
    const char *directory_id;
} meta_texts_t;

static void read_line(meta_texts_t *texts, char *line)
{
    char *value;

    line = trim(line);
    if (*line == '#' || *line == '!' || *line == '\0')
        return;
    value = strpbrk(line, "=:");
    if (!value)
        return;
    *value++ = '\0';
    line = trim(line);
    value = trim(value);
    unescape(value);
    if (strcmp(line, "version") == 0)
        texts->version = value;
    else if (strcmp(line, "cluster.id") == 0)
        texts->cluster_id = value;
    else if (strcmp(line, "node.id") == 0)
        texts->node_id = value;
    else if (strcmp(line, "directory.id") == 0)
        texts->directory_id = value;
}

static apr_status_t judge_meta(directory_meta_t *meta,
                               const meta_texts_t *texts, const char *file,
                               apr_pool_t *pool, const char **error)
{
    int64_t number;

    if (!texts->version || strcmp(texts->version, "1") != 0) {
        refuse(error, pool, file,
               apr_psprintf(pool, "version is %s, and only 1 is understood",
                            texts->version ? texts->version : "missing"));
        return TAKHIN_EUNSUPPORTED;
    }
    if (!texts->cluster_id || !*texts->cluster_id)
        return refuse(error, pool, file, "cluster.id is missing");
    if (!texts->node_id || !read_number(texts->node_id, 0, INT32_MAX, &number))
        return refuse(error, pool, file, "node.id is missing or no number");
    meta->cluster_id = texts->cluster_id;
    meta->node_id = (int32_t)number;
    memset(&meta->directory_id, 0, sizeof(meta->directory_id));
    if (texts->directory_id &&
        wire_uuid_parse(&meta->directory_id,
                        wire_string_from(texts->directory_id)))
        return refuse(error, pool, file, "directory.id is no UUID");
    return APR_SUCCESS;
}

apr_status_t directory_read_meta(directory_meta_t *meta, const char *path,
                                 apr_pool_t *pool, const char **error)
{
    const char *file = apr_psprintf(pool, "%s/" META_FILE, path);
    meta_texts_t texts = {NULL, NULL, NULL, NULL};
    char *text;
    char *line;
    char *last;
    apr_status_t status = read_small(file, &text, pool);

    if (APR_STATUS_IS_ENOENT(status) || APR_STATUS_IS_ENOTDIR(status))
        return APR_ENOENT;
    if (status) {
        char why[128];

        *error = apr_psprintf(pool, "%s: %s", file,
                              takhin_strerror(status, why, sizeof(why)));
        return status;
    }
    for (line = apr_strtok(text, "\r\n", &last); line;
         line = apr_strtok(NULL, "\r\n", &last))
        read_line(&texts, line);
    return judge_meta(meta, &texts, file, pool, error);
}

apr_status_t directory_write_meta(const directory_meta_t *meta,
                                  const char *path, apr_pool_t *pool)
{
    char id[WIRE_UUID_TEXT_LENGTH + 1];
    char date[APR_CTIME_LEN];
    const char *text;

    apr_ctime(date, apr_time_now());
    text = apr_psprintf(pool,
                        "#\n#%s\ncluster.id=%s\ndirectory.id=%s\n"
                        "node.id=%d\nversion=1\n",
                        date, meta->cluster_id,
                        wire_uuid_format(&meta->directory_id, id),
                        (int)meta->node_id);
    return fs_write_atomic(apr_psprintf(pool, "%s/" META_FILE, path), text,
                           strlen(text));
}

static apr_status_t look_at(void *baton, const char *name, apr_filetype_e type)
{
    static const char *const harmless[] = {".lock",
                                           "lost+found",
                                           "bootstrap.checkpoint",
                                           "bootstrap.checkpoint.part",
                                           META_FILE ".tmp",
                                           ".DS_Store"};
    const char **found = baton;

    (void)type;
    for (apr_size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++) {
        if (strcmp(name, harmless[i]) == 0)
            return APR_SUCCESS;
    }
    *found = name;
    return APR_ENOTEMPTY;
}

apr_status_t directory_is_new(const char *path, apr_pool_t *pool,
                              const char **found)
{
    apr_status_t status;

    *found = NULL;
    status = fs_list(path, look_at, found);
    if (APR_STATUS_IS_ENOENT(status))
        return APR_SUCCESS;
    if (*found)
        *found = apr_pstrdup(pool, *found);
    return status;
}

/* ---- quorum-state -------------------------------------------------------- */

/* The text behind "KEY": in a flat JSON object, or NULL. The file is written by
 * a program and has no such text inside of another value. */
static const char *json_value(const char *json, const char *key,
                              apr_pool_t *pool)
{
    const char *quoted = apr_psprintf(pool, "\"%s\"", key);
    const char *at = strstr(json, quoted);

    if (!at)
        return NULL;
    at += strlen(quoted);
    while (isspace((unsigned char)*at))
        at++;
    if (*at != ':')
        return NULL;
    do
        at++;
    while (isspace((unsigned char)*at));
    return at;
}

static int json_number(const char *json, const char *key, int32_t *number,
                       apr_pool_t *pool)
{
    const char *value = json_value(json, key, pool);
    char *end;
    apr_int64_t wide;

    if (!value)
        return 0;
    wide = apr_strtoi64(value, &end, 10);
    if (end == value || wide < INT32_MIN || wide > INT32_MAX)
        return 0;
    *number = (int32_t)wide;
    return 1;
}

/* currentVoters is [{"voterId":1},...], or null from version 1 on. */
static void read_voters(quorum_state_t *state, const char *json,
                        apr_pool_t *pool)
{
    const char *at = json_value(json, "currentVoters", pool);
    const char *end = at ? strchr(at, ']') : NULL;
    int32_t *voters;
    int32_t id;

    state->voter_count = -1;
    if (!at || *at != '[' || !end)
        return;
    state->voter_count = 0;
    at = apr_pstrmemdup(pool, at, (apr_size_t)(end - at));
    voters = apr_palloc(pool, (strlen(at) / 10 + 1) * sizeof(*voters));
    while (json_number(at, "voterId", &id, pool)) {
        voters[state->voter_count++] = id;
        at = strstr(at, "\"voterId\"") + 9;
    }
    state->voters = voters;
}

apr_status_t directory_read_quorum(quorum_state_t *state, const char *path,
                                   apr_pool_t *pool, const char **error)
{
    const char *file = apr_psprintf(pool, "%s/" QUORUM_FILE, path);
    int32_t version;
    char *json;
    apr_status_t status = read_small(file, &json, pool);

    if (APR_STATUS_IS_ENOENT(status) || APR_STATUS_IS_ENOTDIR(status))
        return APR_ENOENT;
    if (status) {
        char why[128];

        *error = apr_psprintf(pool, "%s: %s", file,
                              takhin_strerror(status, why, sizeof(why)));
        return status;
    }
    if (!json_number(json, "data_version", &version, pool) || version < 0 ||
        version > 1) {
        refuse(error, pool, file, "data_version is neither 0 nor 1");
        return TAKHIN_EUNSUPPORTED;
    }
    state->version = version;
    if (!json_number(json, "leaderId", &state->leader_id, pool) ||
        !json_number(json, "leaderEpoch", &state->leader_epoch, pool) ||
        !json_number(json, "votedId", &state->voted_id, pool) ||
        state->leader_epoch < 0)
        return refuse(error, pool, file, "leader or epoch is missing");
    read_voters(state, json, pool);
    return APR_SUCCESS;
}

apr_status_t directory_write_quorum(const quorum_state_t *state,
                                    const char *path, apr_pool_t *pool)
{
    const char *text;

    if (state->version == 0) {
        const char *voters = "";

        for (int i = 0; i < state->voter_count; i++)
            voters = apr_psprintf(pool, "%s%s{\"voterId\":%d}", voters,
                                  i ? "," : "", (int)state->voters[i]);
        text = apr_psprintf(pool,
                            "{\"clusterId\":\"\",\"leaderId\":%d,"
                            "\"leaderEpoch\":%d,\"votedId\":%d,"
                            "\"appliedOffset\":0,\"currentVoters\":[%s],"
                            "\"data_version\":0}",
                            (int)state->leader_id, (int)state->leader_epoch,
                            (int)state->voted_id, voters);
    } else {
        text = apr_psprintf(pool,
                            "{\"leaderId\":%d,\"leaderEpoch\":%d,"
                            "\"votedId\":%d,\"votedDirectoryId\":"
                            "\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}",
                            (int)state->leader_id, (int)state->leader_epoch,
                            (int)state->voted_id);
    }
    return fs_write_atomic(apr_psprintf(pool, "%s/" QUORUM_FILE, path), text,
                           strlen(text));
}
