/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/config.h"

static config_t *fresh(void)
{
    config_t *config;

    UNIT_OK(config_create(&config, unit_pool()));
    return config;
}

/* Loads CONTENTS from a file that is called "test.properties" in problems. */
static apr_status_t load(config_t *config, const char *contents)
{
    const char *path =
        apr_pstrcat(unit_pool(), unit_tmpdir(), "/test.properties", NULL);
    apr_file_t *file;

    UNIT_OK(apr_file_open(&file, path,
                          APR_FOPEN_WRITE | APR_FOPEN_CREATE |
                              APR_FOPEN_BINARY,
                          APR_FPROT_OS_DEFAULT, unit_pool()));
    UNIT_OK(apr_file_write_full(file, contents, strlen(contents), NULL));
    UNIT_OK(apr_file_close(file));
    return config_load(config, path);
}

/* The last problem, from its file's name on. */
static const char *last_problem(const config_t *config)
{
    const apr_array_header_t *problems = config_problems(config);
    const char *text, *name;

    if (!problems->nelts)
        return "none";
    text = APR_ARRAY_IDX(problems, problems->nelts - 1, config_problem_t).text;
    name = strstr(text, "test.properties");
    return name ? name : text;
}

static void the_table_names_each_property_once(void)
{
    for (int id = 0; id < CONFIG_COUNT; id++) {
        const property_t *p = property_get((config_id_t)id);

        CU_ASSERT_EQUAL(p->id, (config_id_t)id);
        CU_ASSERT_PTR_EQUAL(property_find(p->scope, p->name, strlen(p->name)),
                            p);
        CU_ASSERT(strlen(p->description) > 5);
    }
}

static void every_default_is_allowed(void)
{
    for (int id = 0; id < CONFIG_COUNT; id++) {
        const property_t *p = property_get((config_id_t)id);

        if (p->default_value && !property_accepts(p, p->default_value,
                                                  unit_pool()))
            CU_FAIL("a default is not allowed");
    }
}

static void defaults_are_kafkas(void)
{
    config_t *c = fresh();

    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_PARTITIONS), 1);
    CU_ASSERT_EQUAL(config_int(c, CONFIG_MESSAGE_MAX_BYTES), 1048588);
    CU_ASSERT_EQUAL(config_long(c, CONFIG_LOG_RETENTION_HOURS), 168);
    CU_ASSERT_EQUAL(config_bool(c, CONFIG_AUTO_CREATE_TOPICS_ENABLE), 1);
    CU_ASSERT_EQUAL(config_double(c, CONFIG_LOG_CLEANER_MIN_CLEANABLE_RATIO),
                    0.5);
    CU_ASSERT_EQUAL(config_int(c, CONFIG_OFFSETS_TOPIC_REPLICATION_FACTOR), 3);
    CU_ASSERT_STRING_EQUAL(config_string(c, CONFIG_LISTENERS),
                           "PLAINTEXT://:9092");
    CU_ASSERT_FALSE(config_is_set(c, CONFIG_LOG_RETENTION_MS));
    CU_ASSERT_EQUAL(config_long(c, CONFIG_LOG_RETENTION_MS), -1);
    CU_ASSERT_EQUAL(config_source(c, CONFIG_NUM_PARTITIONS),
                    CONFIG_SOURCE_DEFAULT);
}

static void a_file_has_the_syntax_of_java_properties(void)
{
    config_t *c = fresh();

    UNIT_OK(load(c, "\xef\xbb\xbf# comment \\\n"
                    "! another\r\n"
                    "\n"
                    "  num.partitions = 7  \r\n"
                    "node.id:3\n"
                    "broker.rack   a\\tb\\u00e4\\\\c\\=\n"
                    "log.dirs=/a,\\\n"
                    "      # not a comment, \\\n"
                    "  /b\n"
                    "num\\.io\\.threads=9\n"
                    "http.listeners\n"
                    "num.network.threads=2"));
    CU_ASSERT_EQUAL(config_problems(c)->nelts, 0);
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_PARTITIONS), 7);
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NODE_ID), 3);
    CU_ASSERT_STRING_EQUAL(config_string(c, CONFIG_BROKER_RACK),
                           "a\tb\xc3\xa4\\c=");
    CU_ASSERT_STRING_EQUAL(config_string(c, CONFIG_LOG_DIRS),
                           "/a,# not a comment,/b");
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_IO_THREADS), 9);
    CU_ASSERT_STRING_EQUAL(config_string(c, CONFIG_HTTP_LISTENERS), "");
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_NETWORK_THREADS), 2);
    CU_ASSERT_EQUAL(config_source(c, CONFIG_NODE_ID), CONFIG_SOURCE_STATIC);
}

static void the_last_line_for_a_key_wins(void)
{
    config_t *c = fresh();

    UNIT_OK(load(c, "num.partitions=2\nnum.partitions=3\n"));
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_PARTITIONS), 3);
}

static void an_override_wins_over_the_file(void)
{
    config_t *c = fresh();

    UNIT_OK(config_set(c, "num.partitions=5"));
    UNIT_OK(load(c, "num.partitions=2\n"));
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_PARTITIONS), 5);
    UNIT_OK(config_set(c, "num.partitions=6"));
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_PARTITIONS), 6);
}

static void a_wrong_line_is_named_with_file_line_key_and_what_is_allowed(void)
{
    config_t *c = fresh();

    CU_ASSERT_EQUAL(load(c, "# x\nnum.io.threads=many\nnum.partitions=4\n"),
                    TAKHIN_ECONFIG);
    CU_ASSERT_STRING_EQUAL(last_problem(c),
                           "test.properties:2: num.io.threads: found \"many\", "
                           "allowed is a whole number of 1 or more");
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_IO_THREADS), 8);
    CU_ASSERT_EQUAL(config_int(c, CONFIG_NUM_PARTITIONS), 4);
    CU_ASSERT_EQUAL(config_check(c), TAKHIN_ECONFIG);
}

static void a_continued_line_has_the_number_of_its_first(void)
{
    config_t *c = fresh();

    load(c, "a=1\nnum.io.threads=\\\n\\\n0\nnum.partitions=0\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(last_problem(c), ".properties:5: num.part"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(APR_ARRAY_IDX(config_problems(c), 1, config_problem_t).text,
               ".properties:2: num.io"));
}

static void bad_values_of_each_type_are_refused(void)
{
    static const char *const bad[] = {
        "auto.create.topics.enable=yes", "auto.create.topics.enable=",
        "num.partitions=",               "num.partitions=1.5",
        "num.partitions=0x10",           "num.partitions=0",
        "num.partitions=2147483648",     "num.partitions=1 2",
        "node.id=-1",                    "node.id=-",
        "offsets.topic.replication.factor=40000",
        "offsets.topic.replication.factor=0",
        "log.retention.check.interval.ms=9223372036854775808",
        "log.cleaner.min.cleanable.ratio=1.1",
        "log.cleaner.min.cleanable.ratio=x",
        "log.cleaner.min.cleanable.ratio=nan",
        "log.cleaner.min.cleanable.ratio=",
        "compression.type=zip",          "compression.type=GZIP",
        "compression.gzip.level=0",      "compression.gzip.level=10",
        "log.cleanup.policy=delete,,compact",
        "log.cleanup.policy=drop",       "process.roles=",
        "process.roles=king",            "log.dirs=",
        "listeners=",                    "listeners=9092",
        "listeners=A://h:70000",         "listeners=A://h:1,a://h:2",
        "listeners=A://h",               "listeners=://h:1",
        "listener.security.protocol.map=A:B",
        "controller.quorum.voters=1:h:2",
        "max.connections.per.ip.overrides=1.2.3.4",
        "http.listeners=nowhere",        "log.level=loud",
        "log.flush.on.acks.all=1",       "num.partitions",
        "=1",                            ""};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        config_t *c = fresh();

        if (config_set(c, bad[i]) != TAKHIN_ECONFIG ||
            config_problems(c)->nelts != 1)
            CU_assertImplementation(CU_FALSE, __LINE__, bad[i], __FILE__, "",
                                    CU_FALSE);
    }
}

static void good_values_of_each_type_are_accepted(void)
{
    static const char *const good[] = {
        "auto.create.topics.enable=FALSE", "num.partitions=+3",
        "num.partitions= 3 ",              "compression.gzip.level=-1",
        "compression.gzip.level=9",        "log.cleaner.backoff.ms=0",
        "log.cleaner.min.cleanable.ratio=1",
        "log.cleaner.min.cleanable.ratio=5e-1",
        "log.cleanup.policy=compact, delete", "log.cleanup.policy=",
        "listeners=PLAINTEXT://[::1]:0, INTERNAL://host.example:65535",
        "listener.security.protocol.map=A:ssl,B:SASL_PLAINTEXT",
        "controller.quorum.voters=1@localhost:9093,2@[::1]:9093",
        "group.consumer.migration.policy=Bidirectional",
        "max.connections.per.ip.overrides=127.0.0.1:5,::1:7",
        "broker.rack=",                    "log.retention.ms=-1"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        config_t *c = fresh();

        if (config_set(c, good[i]) || config_problems(c)->nelts)
            CU_assertImplementation(CU_FALSE, __LINE__, good[i], __FILE__, "",
                                    CU_FALSE);
    }
}

static void an_unknown_key_is_a_warning(void)
{
    config_t *c = fresh();

    UNIT_OK(load(c, "num.partition=3\n"));
    CU_ASSERT_STRING_EQUAL(last_problem(c), "test.properties:1: warning: "
                                            "num.partition: unknown key, "
                                            "ignored");
    UNIT_OK(load(c, "num.replica.fetchers=3\nlistener.name.a.ssl.x=1\n"));
    CU_ASSERT_STRING_EQUAL(last_problem(c),
                           "test.properties:2: warning: listener.name.a.ssl.x: "
                           "has no effect here, only on Kafka");
    CU_ASSERT_EQUAL(config_problems(c)->nelts, 3);
    UNIT_OK(config_check(c));
}

static void a_file_that_cannot_be_read_is_an_error(void)
{
    config_t *c = fresh();
    const char *dir = unit_tmpdir();

    CU_ASSERT(APR_STATUS_IS_ENOENT(config_load(
        c, apr_pstrcat(unit_pool(), dir, "/test.properties", NULL))));
    CU_ASSERT_STRING_EQUAL(last_problem(c), "test.properties: cannot be read: "
                                            "No such file or directory");
    CU_ASSERT_NOT_EQUAL(config_load(c, dir), APR_SUCCESS);
    CU_ASSERT_EQUAL(config_check(c), TAKHIN_ECONFIG);
}

static void values_that_contradict_each_other_are_refused(void)
{
    config_t *c = fresh();

    UNIT_OK(config_set(c, "group.min.session.timeout.ms=2000000"));
    CU_ASSERT_EQUAL(config_check(c), TAKHIN_ECONFIG);
    c = fresh();
    UNIT_OK(config_set(c, "listeners=FRONT://:9092"));
    CU_ASSERT_EQUAL(config_check(c), TAKHIN_ECONFIG);
    UNIT_OK(config_set(c, "listener.security.protocol.map=FRONT:PLAINTEXT"));
    c = fresh();
    UNIT_OK(config_set(c, "listeners=PLAINTEXT://:9092,CONTROLLER://:9093"));
    UNIT_OK(config_check(c));
}

static void a_topic_inherits_what_the_broker_sets(void)
{
    config_t *c = fresh();

    CU_ASSERT_EQUAL(config_long(c, CONFIG_TOPIC_RETENTION_MS), 604800000);
    UNIT_OK(config_set(c, "log.retention.hours=2"));
    CU_ASSERT_EQUAL(config_long(c, CONFIG_TOPIC_RETENTION_MS), 7200000);
    CU_ASSERT_STRING_EQUAL(config_text(c, CONFIG_TOPIC_RETENTION_MS),
                           "7200000");
    UNIT_OK(config_set(c, "log.retention.minutes=3"));
    CU_ASSERT_EQUAL(config_long(c, CONFIG_TOPIC_RETENTION_MS), 180000);
    UNIT_OK(config_set(c, "log.retention.ms=5"));
    CU_ASSERT_EQUAL(config_long(c, CONFIG_TOPIC_RETENTION_MS), 5);
    UNIT_OK(config_set(c, "log.cleanup.policy=compact, delete"));
    CU_ASSERT_STRING_EQUAL(config_string(c, CONFIG_TOPIC_CLEANUP_POLICY),
                           "compact,delete");
    UNIT_OK(config_set(c, "min.insync.replicas=2"));
    CU_ASSERT_EQUAL(config_int(c, CONFIG_TOPIC_MIN_INSYNC_REPLICAS), 2);
    c = fresh();
    UNIT_OK(config_set(c, "log.retention.hours=-1"));
    CU_ASSERT_EQUAL(config_long(c, CONFIG_TOPIC_RETENTION_MS), -1);
    CU_ASSERT_EQUAL(config_long(c, CONFIG_TOPIC_FLUSH_MS), INT64_MAX);
}

static void a_topic_s_own_value_wins_when_it_is_right(void)
{
    config_t *c = fresh();

    CU_ASSERT_EQUAL(config_topic_long(c, CONFIG_TOPIC_RETENTION_MS, "9"), 9);
    CU_ASSERT_EQUAL(config_topic_long(c, CONFIG_TOPIC_RETENTION_MS, NULL),
                    604800000);
    CU_ASSERT_EQUAL(config_topic_long(c, CONFIG_TOPIC_RETENTION_MS, "-7"),
                    604800000);
    CU_ASSERT_EQUAL(config_topic_bool(c, CONFIG_TOPIC_PREALLOCATE, "true"), 1);
    CU_ASSERT_EQUAL(config_topic_double(
                        c, CONFIG_TOPIC_MIN_CLEANABLE_DIRTY_RATIO, "0.25"),
                    0.25);
    CU_ASSERT_STRING_EQUAL(
        config_topic_string(c, CONFIG_TOPIC_COMPRESSION_TYPE, "zip"),
        "producer");
}

static void a_topic_s_entries_are_checked_one_by_one(void)
{
    apr_pool_t *pool = unit_pool();
    config_t *c = fresh();

    CU_ASSERT_PTR_NULL(config_topic_refusal("retention.ms", "5", pool));
    CU_ASSERT_PTR_NULL(config_topic_refusal("cleanup.policy", "", pool));
    CU_ASSERT_PTR_NULL(config_topic_refusal(
        "leader.replication.throttled.replicas", "0:1,1:2", pool));
    CU_ASSERT_PTR_NULL(config_topic_refusal(
        "follower.replication.throttled.replicas", "*", pool));
    CU_ASSERT_PTR_NOT_NULL(config_topic_refusal(
        "leader.replication.throttled.replicas", "0:1,x", pool));
    CU_ASSERT_PTR_NOT_NULL(config_topic_refusal("retention.ms", NULL, pool));
    CU_ASSERT_STRING_EQUAL(config_topic_refusal("foo", "1", pool),
                           "Unknown topic config name: foo");
    CU_ASSERT_STRING_EQUAL(
        config_topic_refusal("segment.bytes", "5", pool),
        "Invalid value 5 for configuration segment.bytes: allowed is a whole "
        "number of 1048576 or more");
    CU_ASSERT_PTR_NULL(config_topic_conflict(c, "5", "5", pool));
    CU_ASSERT_PTR_NOT_NULL(config_topic_conflict(c, "6", "5", pool));
}

static void synonyms_say_where_a_value_could_be_from(void)
{
    config_synonym_t s[CONFIG_SYNONYMS_MAX];
    config_t *c = fresh();

    CU_ASSERT_EQUAL(config_synonyms(c, CONFIG_TOPIC_SEGMENT_BYTES, s), 1);
    CU_ASSERT_STRING_EQUAL(s[0].name, "log.segment.bytes");
    CU_ASSERT_STRING_EQUAL(s[0].value, "1073741824");
    CU_ASSERT_EQUAL(s[0].source, CONFIG_SOURCE_DEFAULT);
    CU_ASSERT_EQUAL(config_synonyms(c, CONFIG_TOPIC_RETENTION_MS, s), 1);
    UNIT_OK(config_set(c, "log.retention.hours=2"));
    UNIT_OK(config_set(c, "log.retention.ms=3"));
    CU_ASSERT_EQUAL(config_synonyms(c, CONFIG_TOPIC_RETENTION_MS, s), 3);
    CU_ASSERT_STRING_EQUAL(s[0].name, "log.retention.ms");
    CU_ASSERT_STRING_EQUAL(s[1].name, "log.retention.hours");
    CU_ASSERT_EQUAL(s[1].source, CONFIG_SOURCE_STATIC);
    CU_ASSERT_EQUAL(config_source(c, CONFIG_TOPIC_RETENTION_MS),
                    CONFIG_SOURCE_STATIC);
    UNIT_OK(config_set(c, "num.partitions=4"));
    CU_ASSERT_EQUAL(config_synonyms(c, CONFIG_NUM_PARTITIONS, s), 2);
    CU_ASSERT_STRING_EQUAL(s[0].value, "4");
    CU_ASSERT_STRING_EQUAL(s[1].value, "1");
}

static void listeners_are_parsed(void)
{
    apr_array_header_t *l;
    config_listener_t *e;

    UNIT_OK(config_parse_listeners(&l, "plaintext://:9092,B://[fe80::1]:0",
                                   unit_pool()));
    CU_ASSERT_EQUAL_FATAL(l->nelts, 2);
    e = (config_listener_t *)l->elts;
    CU_ASSERT_STRING_EQUAL(e[0].name, "PLAINTEXT");
    CU_ASSERT_STRING_EQUAL(e[0].host, "");
    CU_ASSERT_EQUAL(e[0].port, 9092);
    CU_ASSERT_STRING_EQUAL(e[1].host, "fe80::1");
    CU_ASSERT_EQUAL(e[1].port, 0);
}

static void a_listener_has_the_protocol_of_the_map(void)
{
    config_t *c = fresh();
    apr_pool_t *pool = unit_pool();

    CU_ASSERT_STRING_EQUAL(config_listener_protocol(c, "SSL", pool), "SSL");
    CU_ASSERT_STRING_EQUAL(config_listener_protocol(c, "CONTROLLER", pool),
                           "PLAINTEXT");
    CU_ASSERT_PTR_NULL(config_listener_protocol(c, "OTHER", pool));
    UNIT_OK(config_set(c, "listener.security.protocol.map=OTHER:sasl_ssl"));
    CU_ASSERT_STRING_EQUAL(config_listener_protocol(c, "OTHER", pool),
                           "SASL_SSL");
    CU_ASSERT_PTR_NULL(config_listener_protocol(c, "CONTROLLER", pool));
}

static void log_dirs_fall_back_to_log_dir(void)
{
    config_t *c = fresh();
    apr_array_header_t *dirs = config_log_dirs(c, unit_pool());

    CU_ASSERT_EQUAL(dirs->nelts, 1);
    UNIT_OK(config_set(c, "log.dirs=/a, /b"));
    dirs = config_log_dirs(c, unit_pool());
    CU_ASSERT_EQUAL_FATAL(dirs->nelts, 2);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(dirs, 1, const char *), "/b");
    CU_ASSERT_STRING_EQUAL(config_metadata_dir(c, unit_pool()), "/a");
    CU_ASSERT(config_list_has("/a, /b ", "/b"));
    CU_ASSERT_FALSE(config_list_has("/a, /b", "/"));
}

static void the_documentation_names_every_property(void)
{
    const char *help = config_help(unit_pool());

    for (int id = 0; id < CONFIG_COUNT; id++)
        CU_ASSERT_PTR_NOT_NULL(
            strstr(help, apr_psprintf(unit_pool(), "- `%s` (",
                                      property_get((config_id_t)id)->name)));
}

UNIT_MAIN(
    UNIT_TEST(the_table_names_each_property_once),
    UNIT_TEST(every_default_is_allowed), UNIT_TEST(defaults_are_kafkas),
    UNIT_TEST(a_file_has_the_syntax_of_java_properties),
    UNIT_TEST(the_last_line_for_a_key_wins),
    UNIT_TEST(an_override_wins_over_the_file),
    UNIT_TEST(a_wrong_line_is_named_with_file_line_key_and_what_is_allowed),
    UNIT_TEST(a_continued_line_has_the_number_of_its_first),
    UNIT_TEST(bad_values_of_each_type_are_refused),
    UNIT_TEST(good_values_of_each_type_are_accepted),
    UNIT_TEST(an_unknown_key_is_a_warning),
    UNIT_TEST(a_file_that_cannot_be_read_is_an_error),
    UNIT_TEST(values_that_contradict_each_other_are_refused),
    UNIT_TEST(a_topic_inherits_what_the_broker_sets),
    UNIT_TEST(a_topic_s_own_value_wins_when_it_is_right),
    UNIT_TEST(a_topic_s_entries_are_checked_one_by_one),
    UNIT_TEST(synonyms_say_where_a_value_could_be_from),
    UNIT_TEST(listeners_are_parsed),
    UNIT_TEST(a_listener_has_the_protocol_of_the_map),
    UNIT_TEST(log_dirs_fall_back_to_log_dir),
    UNIT_TEST(the_documentation_names_every_property))
