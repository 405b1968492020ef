/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small files of a data directory: producer snapshots, checkpoints, leader
 * epochs, partition.metadata, meta.properties, quorum-state. Each is read
 * whole and taken apart strictly: a broker that is lenient with one may still
 * have it named here.
 */
#include <apr_strings.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dump/dump.h"
#include "metadata/directory.h"
#include "record/crc32c.h"

#define SNAPSHOT_HEADER 10 /* version, CRC, count */
#define SNAPSHOT_ENTRY  46

static void begin(dump_t *dump, const char *path)
{
    dump->files++;
    dump_line(dump, "%s", path);
}

/* ---- producer snapshots ------------------------------------------------- */

static void take_producer(dump_t *dump, const char *path, int64_t end,
                          const uint8_t *p, int64_t position)
{
    const int64_t id = bytes_get_i64(p), last = bytes_get_i64(p + 14),
                  txn = bytes_get_i64(p + 38);
    const int32_t sequence = bytes_get_i32(p + 10),
                  delta = bytes_get_i32(p + 22);

    dump_line(dump,
              "producer %" APR_INT64_T_FMT
              " epoch %d last sequence %d last offset %" APR_INT64_T_FMT
              " first offset %" APR_INT64_T_FMT " timestamp %" APR_INT64_T_FMT
              " coordinator epoch %d transaction from %" APR_INT64_T_FMT,
              id, (int)bytes_get_i16(p + 8), (int)sequence, last,
              last < 0 ? -1 : last - delta, bytes_get_i64(p + 26),
              (int)bytes_get_i32(p + 34), txn);
    if (id < 0)
        dump_problem(dump, path, position,
                     "a producer with id %" APR_INT64_T_FMT, id);
    if (last >= end || txn >= end)
        dump_problem(dump, path, position,
                     "producer %" APR_INT64_T_FMT
                     " wrote behind offset %" APR_INT64_T_FMT
                     ", which names the snapshot",
                     id, end);
    if (sequence < -1 || delta < 0 || (last >= 0 && last - delta < 0))
        dump_problem(dump, path, position,
                     "producer %" APR_INT64_T_FMT " has an impossible batch",
                     id);
}

static int compare_ids(const void *a, const void *b)
{
    const int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

    return one < other ? -1 : one > other;
}

/* No producer may be there twice. */
static void check_ids(dump_t *dump, const char *path, const uint8_t *data,
                      int32_t count)
{
    int64_t *ids = malloc(((size_t)count + 1) * sizeof(*ids));

    if (!ids)
        return;
    for (int32_t i = 0; i < count; i++)
        ids[i] =
            bytes_get_i64(data + SNAPSHOT_HEADER + (size_t)i * SNAPSHOT_ENTRY);
    qsort(ids, (size_t)count, sizeof(*ids), compare_ids);
    for (int32_t i = 1; i < count; i++)
        if (ids[i] == ids[i - 1])
            dump_problem(dump, path, -1,
                         "producer %" APR_INT64_T_FMT " is there twice",
                         ids[i]);
    free(ids);
}

void dump_producers(dump_t *dump, const char *path)
{
    const char *name = strrchr(path, '/');
    apr_size_t length;
    uint8_t *data;
    int64_t end = apr_atoi64(name ? name + 1 : path);
    int32_t count;

    begin(dump, path);
    data = dump_read(dump, path, &length, dump->pool);
    if (!data)
        return;
    if (length < SNAPSHOT_HEADER) {
        dump_problem(dump, path, -1,
                     "%" APR_SIZE_T_FMT " bytes are no producer snapshot",
                     length);
        return;
    }
    count = bytes_get_i32(data + 6);
    if (bytes_get_i16(data) != 1)
        dump_problem(dump, path, 0, "unknown version %d",
                     (int)bytes_get_i16(data));
    else if (crc32c(0, data + 6, length - 6) != bytes_get_u32(data + 2))
        dump_problem(dump, path, 2, "wrong CRC");
    else if (count < 0 ||
             length - SNAPSHOT_HEADER != (apr_size_t)count * SNAPSHOT_ENTRY)
        dump_problem(dump, path, 6,
                     "%d producers do not fit its %" APR_SIZE_T_FMT " bytes",
                     (int)count, length);
    else {
        for (int32_t i = 0; i < count; i++) {
            apr_size_t at = SNAPSHOT_HEADER + (apr_size_t)i * SNAPSHOT_ENTRY;

            take_producer(dump, path, end, data + at, (int64_t)at);
        }
        check_ids(dump, path, data, count);
    }
}

/* ---- text with a version and a count ------------------------------------ */

typedef struct {
    dump_t *dump;
    const char *path;
    char *next;
    int line;
} lines_t;

/* The next line without its end; NULL behind the last. A last line without
 * an end is a cut one. */
static char *next_line(lines_t *lines)
{
    char *line = lines->next, *end;

    if (line == NULL || *line == '\0')
        return NULL;
    lines->line++;
    end = strchr(line, '\n');
    if (end == NULL) {
        dump_problem(lines->dump, lines->path, lines->line,
                     "the line is not ended");
        lines->next = NULL;
    } else {
        *end = '\0';
        lines->next = end + 1;
    }
    return line;
}

/* A whole decimal number of [LOW, HIGH] at *TEXT, which moves behind it and
 * the blank that follows it. */
static int take_number(char **text, int64_t low, int64_t high, int64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoll(*text, &end, 10);
    if (end == *text || errno || *value < low || *value > high ||
        (*end != '\0' && *end != ' '))
        return 0;
    *text = *end == ' ' ? end + 1 : end;
    return 1;
}

/* Opens PATH and reads the first two lines; the number of lines that are to
 * follow, or -1. */
static int64_t begin_lines(lines_t *lines, dump_t *dump, const char *path)
{
    apr_size_t length;
    char *text = (char *)dump_read(dump, path, &length, dump->pool);
    int64_t version, count;
    char *line;

    *lines = (lines_t){dump, path, text, 0};
    begin(dump, path);
    if (text == NULL || length == 0)
        return text == NULL ? -1 : 0; /* Kafka has empty ones, too */
    if (strlen(text) != length) {
        dump_problem(dump, path, -1, "is no text");
        return -1;
    }
    line = next_line(lines);
    if (!take_number(&line, 0, INT64_MAX, &version) || version != 0) {
        dump_problem(dump, path, 1, "the version is not 0");
        return -1;
    }
    line = next_line(lines);
    if (line == NULL || !take_number(&line, 0, INT32_MAX, &count)) {
        dump_problem(dump, path, 2, "there is no number of lines");
        return -1;
    }
    return count;
}

static void end_lines(const lines_t *lines, int64_t count)
{
    if (lines->line > 0 && lines->line - 2 != count)
        dump_problem(lines->dump, lines->path, lines->line,
                     "%d lines where %" APR_INT64_T_FMT " are promised",
                     lines->line - 2, count);
}

void dump_epochs(dump_t *dump, const char *path, int64_t log_end)
{
    lines_t lines;
    int64_t count = begin_lines(&lines, dump, path);
    int64_t epoch, start, last_epoch = -1, last_start = -1;
    char *line;

    if (count < 0)
        return;
    while ((line = next_line(&lines)) != NULL) {
        if (!take_number(&line, 0, INT32_MAX, &epoch) ||
            !take_number(&line, 0, INT64_MAX, &start) || *line != '\0') {
            dump_problem(dump, path, lines.line,
                         "is not \"epoch start-offset\"");
            return;
        }
        dump_line(dump,
                  "leader epoch %" APR_INT64_T_FMT " from %" APR_INT64_T_FMT,
                  epoch, start);
        if (epoch <= last_epoch || start < last_start)
            dump_problem(dump, path, lines.line,
                         "epochs and offsets do not ascend");
        if (log_end >= 0 && start > log_end)
            dump_problem(dump, path, lines.line,
                         "epoch %" APR_INT64_T_FMT
                         " begins behind the log's end %" APR_INT64_T_FMT,
                         epoch, log_end);
        last_epoch = epoch;
        last_start = start;
    }
    end_lines(&lines, count);
}

void dump_checkpoint(dump_t *dump, const char *path, checkpoint_line_fn each,
                     void *baton)
{
    lines_t lines;
    int64_t count = begin_lines(&lines, dump, path);
    int64_t partition, offset;
    char *line;

    if (count < 0)
        return;
    while ((line = next_line(&lines)) != NULL) {
        char *topic = line, *numbers = strchr(line, ' ');

        if (numbers != NULL)
            *numbers++ = '\0';
        if (numbers == NULL || numbers - topic < 2 ||
            !take_number(&numbers, 0, INT32_MAX, &partition) ||
            !take_number(&numbers, 0, INT64_MAX, &offset) || *numbers != '\0') {
            dump_problem(dump, path, lines.line,
                         "is not \"topic partition offset\"");
            return;
        }
        dump_line(dump, "%s-%" APR_INT64_T_FMT " %" APR_INT64_T_FMT, topic,
                  partition, offset);
        if (each)
            each(baton, path, lines.line,
                 apr_psprintf(dump->pool, "%s-%" APR_INT64_T_FMT, topic,
                              partition),
                 offset);
    }
    end_lines(&lines, count);
}

/* ---- others ------------------------------------------------------------- */

void dump_partition_metadata(dump_t *dump, const char *path,
                             const wire_uuid_t *wanted)
{
    static const char head[] = "version: 0\ntopic_id: ";
    apr_size_t length;
    char *text;
    wire_uuid_t id;
    char known[WIRE_UUID_TEXT_LENGTH + 1];

    begin(dump, path);
    text = (char *)dump_read(dump, path, &length, dump->pool);
    if (!text)
        return;
    dump_line(dump, "%s", text);
    if (strncmp(text, head, strlen(head)) != 0) {
        dump_problem(dump, path, -1,
                     "does not begin with version and topic id");
        return;
    }
    text += strlen(head);
    text[strcspn(text, "\r\n")] = '\0';
    if (wire_uuid_parse(&id, wire_string_from(text)))
        dump_problem(dump, path, 2, "\"%s\" is no id", text);
    else if (wanted && !wire_uuid_equal(&id, wanted))
        dump_problem(dump, path, 2,
                     "the topic's id is %s, in the metadata log it is %s", text,
                     wire_uuid_format(wanted, known));
}

void dump_meta_properties(dump_t *dump, const char *directory)
{
    const char *path =
        apr_pstrcat(dump->pool, directory, "/meta.properties", NULL);
    directory_meta_t meta;
    const char *error = NULL;
    char id[WIRE_UUID_TEXT_LENGTH + 1], why[128];
    apr_status_t status =
        directory_read_meta(&meta, directory, dump->pool, &error);

    begin(dump, path);
    if (status)
        dump_problem(dump, path, -1, "%s",
                     error ? error : takhin_strerror(status, why, sizeof(why)));
    else
        dump_line(dump, "node %d cluster %s directory %s", (int)meta.node_id,
                  meta.cluster_id, wire_uuid_format(&meta.directory_id, id));
}

void dump_quorum_state(dump_t *dump, const char *directory)
{
    const char *path =
        apr_pstrcat(dump->pool, directory, "/quorum-state", NULL);
    quorum_state_t state;
    const char *error = NULL;
    char why[128];
    apr_status_t status =
        directory_read_quorum(&state, directory, dump->pool, &error);

    begin(dump, path);
    if (status)
        dump_problem(dump, path, -1, "%s",
                     error ? error : takhin_strerror(status, why, sizeof(why)));
    else
        dump_line(dump, "version %d leader %d epoch %d voted %d voters %d",
                  state.version, (int)state.leader_id, (int)state.leader_epoch,
                  (int)state.voted_id, state.voter_count);
}

void dump_plain_text(dump_t *dump, const char *path)
{
    apr_size_t length;
    uint8_t *text;

    begin(dump, path);
    text = dump_read(dump, path, &length, dump->pool);
    if (text)
        dump_line(dump, "%s", (char *)text);
}
