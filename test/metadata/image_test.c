/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "metadata/image_edit.h"

static image_text_t text(const char *string)
{
    image_text_t result = {string, string ? strlen(string) : 0};

    return result;
}

static wire_uuid_t id(int number)
{
    wire_uuid_t uuid = {{0}};

    memcpy(uuid.bytes, &number, sizeof(number));
    return uuid;
}

static void add_topic(metadata_image_t *image, const char *name, int number)
{
    wire_uuid_t uuid = id(number);

    UNIT_OK(image_add_topic(image, text(name), &uuid));
}

static void put_partition(metadata_image_t *image, int number, int32_t index,
                          int32_t leader_epoch)
{
    static const int32_t self[] = {1};
    wire_uuid_t uuid = id(number);
    image_partition_t partition = {.leader = 1,
                                   .leader_epoch = leader_epoch,
                                   .replicas = {self, 1},
                                   .isr = {self, 1},
                                   .directories = &uuid};

    UNIT_OK(image_put_partition(image, &uuid, index, &partition));
}

static const image_topic_t *find(const metadata_image_t *image,
                                 const char *name)
{
    return image_topic(image, name, strlen(name));
}

static void a_topic_is_found_by_name_and_by_id(void)
{
    metadata_image_t *image = image_create();
    wire_uuid_t one = id(1);
    wire_uuid_t other = id(2);

    add_topic(image, "orders", 1);
    CU_ASSERT_PTR_NOT_NULL(find(image, "orders"));
    CU_ASSERT_PTR_EQUAL(find(image, "orders"), image_topic_by_id(image, &one));
    CU_ASSERT_PTR_NULL(find(image, "order"));
    CU_ASSERT_PTR_NULL(image_topic_by_id(image, &other));
    CU_ASSERT_EQUAL(image_topic_count(image), 1);
    CU_ASSERT_EQUAL(image_add_topic(image, text("orders"), &other),
                    TAKHIN_ECORRUPT);
    CU_ASSERT_EQUAL(image_add_topic(image, text("more"), &one),
                    TAKHIN_ECORRUPT);
    image_release(image);
}

static void names_that_differ_by_dot_and_underscore_collide(void)
{
    metadata_image_t *image = image_create();
    wire_uuid_t one = id(1);

    add_topic(image, "a.b_c", 1);
    add_topic(image, "abc", 2);
    CU_ASSERT_PTR_NOT_NULL(image_topic_collision(image, "a_b.c", 5));
    CU_ASSERT_PTR_NOT_NULL(image_topic_collision(image, "a_b_c", 5));
    CU_ASSERT_PTR_NULL(image_topic_collision(image, "a.b_c", 5));
    CU_ASSERT_PTR_NULL(image_topic_collision(image, "abc", 3));
    UNIT_OK(image_remove_topic(image, &one));
    CU_ASSERT_PTR_NULL(image_topic_collision(image, "a_b.c", 5));
    image_release(image);
}

static void an_older_image_keeps_what_a_newer_one_changed(void)
{
    metadata_image_t *before = image_create();
    metadata_image_t *after;
    wire_uuid_t one = id(1);

    add_topic(before, "kept", 1);
    add_topic(before, "gone", 2);
    for (int32_t i = 0; i < 100; i++)
        put_partition(before, 1, i, 0);
    UNIT_OK(image_set_config(before, CONFIG_TOPIC, text("kept"),
                             text("retention.ms"), text("1")));
    after = image_edit(before);
    put_partition(after, 1, 7, 5);
    put_partition(after, 1, 100, 0);
    UNIT_OK(image_set_config(after, CONFIG_TOPIC, text("kept"),
                             text("retention.ms"), text("2")));
    one = id(2);
    UNIT_OK(image_remove_topic(after, &one));

    CU_ASSERT_EQUAL(image_topic_partition_count(find(before, "kept")), 100);
    CU_ASSERT_EQUAL(image_topic_partition_count(find(after, "kept")), 101);
    CU_ASSERT_EQUAL(
        image_topic_partition(find(before, "kept"), 7)->leader_epoch, 0);
    CU_ASSERT_EQUAL(image_topic_partition(find(after, "kept"), 7)->leader_epoch,
                    5);
    CU_ASSERT_STRING_EQUAL(
        image_config(before, CONFIG_TOPIC, "kept", "retention.ms"), "1");
    CU_ASSERT_STRING_EQUAL(
        image_config(after, CONFIG_TOPIC, "kept", "retention.ms"), "2");
    CU_ASSERT_PTR_NOT_NULL(find(before, "gone"));
    CU_ASSERT_PTR_NULL(find(after, "gone"));
    CU_ASSERT_EQUAL(image_partition_count(before), 100);
    CU_ASSERT_EQUAL(image_partition_count(after), 101);
    image_release(before);
    CU_ASSERT_EQUAL(image_topic_partition(find(after, "kept"), 99)->leader, 1);
    image_release(after);
}

static void configurations_go_with_their_topic(void)
{
    metadata_image_t *image = image_create();
    wire_uuid_t one = id(1);
    int count;

    add_topic(image, "t", 1);
    UNIT_OK(
        image_set_config(image, CONFIG_TOPIC, text("t"), text("b"), text("2")));
    UNIT_OK(
        image_set_config(image, CONFIG_TOPIC, text("t"), text("c"), text("3")));
    UNIT_OK(
        image_set_config(image, CONFIG_TOPIC, text("t"), text("a"), text("1")));
    UNIT_OK(
        image_set_config(image, CONFIG_BROKER, text(""), text("a"), text("9")));
    CU_ASSERT_STRING_EQUAL(
        image_configs(image, CONFIG_TOPIC, "t", &count)[0].name, "a");
    CU_ASSERT_EQUAL(count, 3);
    UNIT_OK(image_set_config(image, CONFIG_TOPIC, text("t"), text("b"),
                             text(NULL)));
    CU_ASSERT_PTR_NULL(image_config(image, CONFIG_TOPIC, "t", "b"));
    CU_ASSERT_STRING_EQUAL(image_config(image, CONFIG_TOPIC, "t", "c"), "3");
    UNIT_OK(image_remove_topic(image, &one));
    CU_ASSERT_PTR_NULL(image_configs(image, CONFIG_TOPIC, "t", &count));
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_STRING_EQUAL(image_config(image, CONFIG_BROKER, "", "a"), "9");
    image_release(image);
}

static void quotas_are_found_in_any_order_of_their_entity(void)
{
    image_quota_entity_t entity[] = {{"user", "alice"}, {"client-id", NULL}};
    image_quota_entity_t turned[] = {{"client-id", NULL}, {"user", "alice"}};
    image_quota_entity_t other[] = {{"client-id", ""}, {"user", "alice"}};
    metadata_image_t *image = image_create();
    double rate = 1024;
    double more = 2048;

    UNIT_OK(image_set_quota(image, entity, 2, "producer_byte_rate", &rate));
    UNIT_OK(image_set_quota(image, turned, 2, "consumer_byte_rate", &more));
    CU_ASSERT_PTR_NOT_NULL_FATAL(image_quota(image, turned, 2));
    CU_ASSERT_EQUAL(image_quota(image, turned, 2)->value_count, 2);
    CU_ASSERT_PTR_NULL(image_quota(image, other, 2));
    CU_ASSERT_PTR_NULL(image_quota(image, entity, 1));
    UNIT_OK(image_set_quota(image, entity, 2, "producer_byte_rate", NULL));
    CU_ASSERT_EQUAL(image_quota(image, entity, 2)->values[0].value, 2048);
    UNIT_OK(image_set_quota(image, entity, 2, "consumer_byte_rate", NULL));
    CU_ASSERT_PTR_NULL(image_quota(image, entity, 2));
    image_release(image);
}

static void credentials_are_kept_by_user_and_mechanism(void)
{
    image_scram_t scram = {.user = "alice",
                           .mechanism = SCRAM_SHA_256,
                           .salt = (const uint8_t *)"salt",
                           .salt_length = 4,
                           .stored_key = (const uint8_t *)"stored",
                           .stored_key_length = 6,
                           .server_key = (const uint8_t *)"server",
                           .server_key_length = 6,
                           .iterations = 4096};
    metadata_image_t *image = image_create();

    UNIT_OK(image_put_scram(image, &scram));
    CU_ASSERT_PTR_NOT_NULL_FATAL(image_scram(image, "alice", SCRAM_SHA_256));
    CU_ASSERT_EQUAL(
        memcmp(image_scram(image, "alice", SCRAM_SHA_256)->salt, "salt", 4), 0);
    CU_ASSERT_PTR_NULL(image_scram(image, "alice", SCRAM_SHA_512));
    CU_ASSERT_PTR_NULL(image_scram(image, "bob", SCRAM_SHA_256));
    UNIT_OK(image_remove_scram(image, "alice", SCRAM_SHA_256));
    CU_ASSERT_PTR_NULL(image_scram(image, "alice", SCRAM_SHA_256));
    image_release(image);
}

static void a_partition_far_beyond_any_topic_is_corrupt(void)
{
    metadata_image_t *image = image_create();
    image_partition_t partition = {.leader = 1};
    wire_uuid_t one = id(1);

    add_topic(image, "t", 1);
    CU_ASSERT_EQUAL(image_put_partition(image, &one, INT32_MAX, &partition),
                    TAKHIN_ECORRUPT);
    CU_ASSERT_EQUAL(image_put_partition(image, &one, -1, &partition),
                    TAKHIN_ECORRUPT);
    image_release(image);
}

UNIT_MAIN(UNIT_TEST(a_topic_is_found_by_name_and_by_id),
          UNIT_TEST(names_that_differ_by_dot_and_underscore_collide),
          UNIT_TEST(an_older_image_keeps_what_a_newer_one_changed),
          UNIT_TEST(configurations_go_with_their_topic),
          UNIT_TEST(quotas_are_found_in_any_order_of_their_entity),
          UNIT_TEST(credentials_are_kept_by_user_and_mechanism),
          UNIT_TEST(a_partition_far_beyond_any_topic_is_corrupt))
