/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <apr_strings.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "metadata/directory.h"

static const char *error;

static const char *directory_with(const char *name, const char *text)
{
    const char *directory = unit_tmpdir();

    UNIT_OK(
        fs_write_atomic(apr_pstrcat(unit_pool(), directory, "/", name, NULL),
                        text, strlen(text)));
    return directory;
}

static apr_status_t read_meta(directory_meta_t *meta, const char *text)
{
    return directory_read_meta(meta, directory_with("meta.properties", text),
                               unit_pool(), &error);
}

static void kafkas_meta_properties_are_read(void)
{
    directory_meta_t meta;
    char id[WIRE_UUID_TEXT_LENGTH + 1];

    UNIT_OK(read_meta(&meta, "#\n#Wed Nov 25 02:16:35 UTC 2026\nnode.id=1\n"
                             "directory.id=MNSRz2RWDrhL3jeNtegO9w\n"
                             "version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n"));
    CU_ASSERT_EQUAL(meta.node_id, 1);
    CU_ASSERT_STRING_EQUAL(meta.cluster_id, "MkU3OEVBNTcwNTJENDM2Qg");
    CU_ASSERT_STRING_EQUAL(wire_uuid_format(&meta.directory_id, id),
                           "MNSRz2RWDrhL3jeNtegO9w");
}

static void javas_ways_to_write_properties_are_understood(void)
{
    directory_meta_t meta;

    UNIT_OK(read_meta(&meta, "! no comment\r\n  version : 1\r\n\r\n"
                             "cluster.id = a\\:b\\=c\r\nnode.id=12\r\n"
                             "unknown=x\r\nbroken"));
    CU_ASSERT_EQUAL(meta.node_id, 12);
    CU_ASSERT_STRING_EQUAL(meta.cluster_id, "a:b=c");
    CU_ASSERT(wire_uuid_is_zero(&meta.directory_id));
}

static void what_meta_properties_lack_is_named(void)
{
    static const struct {
        const char *text;
        apr_status_t status;
        const char *says;
    } cases[] = {
        {"", TAKHIN_EUNSUPPORTED, "version is missing"},
        {"version=0\nbroker.id=1\n", TAKHIN_EUNSUPPORTED, "version is 0"},
        {"version=1\nnode.id=1\n", TAKHIN_ECORRUPT, "cluster.id"},
        {"version=1\ncluster.id=c\n", TAKHIN_ECORRUPT, "node.id"},
        {"version=1\ncluster.id=c\nnode.id=1x\n", TAKHIN_ECORRUPT, "node.id"},
        {"version=1\ncluster.id=c\nnode.id=-1\n", TAKHIN_ECORRUPT, "node.id"},
        {"version=1\ncluster.id=c\nnode.id=1\ndirectory.id=short\n",
         TAKHIN_ECORRUPT, "directory.id"},
    };

    for (apr_size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        directory_meta_t meta;

        CU_ASSERT_EQUAL(read_meta(&meta, cases[i].text), cases[i].status);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, cases[i].says));
        CU_ASSERT_PTR_NOT_NULL(strstr(error, "meta.properties: "));
    }
}

static apr_status_t read_quorum(quorum_state_t *state, const char *text)
{
    return directory_read_quorum(state, directory_with("quorum-state", text),
                                 unit_pool(), &error);
}

static void both_versions_of_kafkas_quorum_state_are_read(void)
{
    quorum_state_t state;

    UNIT_OK(read_quorum(&state,
                        "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":7,"
                        "\"votedId\":-1,\"appliedOffset\":0,\"currentVoters\":"
                        "[{\"voterId\":1},{\"voterId\":22}],"
                        "\"data_version\":0}"));
    CU_ASSERT_EQUAL(state.version, 0);
    CU_ASSERT_EQUAL(state.leader_epoch, 7);
    CU_ASSERT_EQUAL_FATAL(state.voter_count, 2);
    CU_ASSERT_EQUAL(state.voters[0], 1);
    CU_ASSERT_EQUAL(state.voters[1], 22);
    UNIT_OK(read_quorum(&state,
                        "{ \"leaderId\" : -1, \"leaderEpoch\" : 2, "
                        "\"votedId\" : 1, \"votedDirectoryId\" : "
                        "\"AAAAAAAAAAAAAAAAAAAAAA\", \"data_version\" : 1 }"));
    CU_ASSERT_EQUAL(state.version, 1);
    CU_ASSERT_EQUAL(state.leader_id, -1);
    CU_ASSERT_EQUAL(state.voted_id, 1);
    CU_ASSERT_EQUAL(state.voter_count, -1);
}

static void a_quorum_state_that_is_not_understood_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "{}",
        "{\"data_version\":2,\"leaderId\":1}",
        "{\"data_version\":0,\"leaderId\":1,\"votedId\":1}",
        "{\"data_version\":0,\"leaderId\":1,\"leaderEpoch\":-5,\"votedId\":1}",
        "{\"data_version\":0,\"leaderId\":99999999999,\"leaderEpoch\":5,"
        "\"votedId\":1}"};

    for (apr_size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        quorum_state_t state;

        CU_ASSERT_NOT_EQUAL(read_quorum(&state, texts[i]), APR_SUCCESS);
        CU_ASSERT_PTR_NOT_NULL(strstr(error, "quorum-state: "));
    }
}

static void what_is_written_is_read_again(void)
{
    const char *directory = unit_tmpdir();
    int32_t voters[] = {5};

    for (int version = 0; version <= 1; version++) {
        quorum_state_t state = {version, 5, 9, -1, 1, voters};
        quorum_state_t read;

        UNIT_OK(directory_write_quorum(&state, directory, unit_pool()));
        UNIT_OK(directory_read_quorum(&read, directory, unit_pool(), &error));
        CU_ASSERT_EQUAL(read.version, version);
        CU_ASSERT_EQUAL(read.leader_id, 5);
        CU_ASSERT_EQUAL(read.leader_epoch, 9);
        CU_ASSERT_EQUAL(read.voter_count, version ? -1 : 1);
    }
}

UNIT_MAIN(UNIT_TEST(kafkas_meta_properties_are_read),
          UNIT_TEST(javas_ways_to_write_properties_are_understood),
          UNIT_TEST(what_meta_properties_lack_is_named),
          UNIT_TEST(both_versions_of_kafkas_quorum_state_are_read),
          UNIT_TEST(a_quorum_state_that_is_not_understood_is_refused),
          UNIT_TEST(what_is_written_is_read_again))
