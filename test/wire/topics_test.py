#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the topic APIs promise: CreateTopics, DeleteTopics, CreatePartitions,
DescribeConfigs, DescribeCluster and Metadata's automatic creation."""
from calls import *


def delete(peer, name, version=5):
    answer = peer.call("DeleteTopics", version, topic_names=[name],
                       timeout_ms=30000)
    return answer["responses"][0]["error_code"]


def configs(peer, name, *keys, kind=2, version=4):
    """{config: (value, source)} of a topic, or of the broker (kind 4)."""
    answer = peer.call("DescribeConfigs", version, resources=[{
        "resource_type": kind, "resource_name": name,
        "configuration_keys": list(keys) or None}])
    result = answer["results"][0]
    equal(result["error_code"], 0, "error of DescribeConfigs")
    return {c["name"]: (c["value"], c["config_source"])
            for c in result["configs"]}


@cases("version {} creates a topic", range(2, 8))
def versions(node, version):
    name = f"create-v{version}"
    with node.connect() as peer:
        topic = create(peer, name, version, num_partitions=3)
        equal(topic["error_code"], 0)
        if version >= 5:
            equal((topic["num_partitions"], topic["replication_factor"]),
                  (3, 1))
        if version >= 7:
            true(topic["topic_id"] != NO_ID, "it has an id")
        wait_for(lambda: node.leads(name, 3), "three partitions")
        seen = describe(peer, name)
        equal([p["replica_nodes"] for p in seen["partitions"]],
              [p["isr_nodes"] for p in seen["partitions"]])


@cases("Metadata version {} describes a topic", range(14))
def metadata(node, version):
    topic = node.create(f"metadata-v{version}", 2)
    with node.connect() as peer:
        answer = peer.call("Metadata", version, topics=[
            {"name": f"metadata-v{version}"}])
        seen, = answer["topics"]
        equal((seen["error_code"], len(seen["partitions"])), (0, 2))
        node_id = answer["brokers"][0]["node_id"]
        equal((answer["brokers"][0]["host"], answer["brokers"][0]["port"]),
              (node.host, node.port))
        for part in seen["partitions"]:
            equal((part["leader_id"], part["replica_nodes"]),
                  (node_id, [node_id]))
        if version >= 10:
            equal(seen["topic_id"], topic)
        if version >= 12:
            by_id = peer.call("Metadata", version, topics=[
                {"name": None, "topic_id": topic}])["topics"][0]
            equal(by_id["name"], f"metadata-v{version}")


@test
def an_unknown_topic_id_is_an_error_of_its_own(node):
    with node.connect() as peer:
        seen = peer.call("Metadata", 12, topics=[
            {"name": None, "topic_id": b"\5" * 16}])["topics"][0]
        equal(seen["error_code"], 100)


@test
def metadata_of_all_topics_lists_each_and_of_none_lists_none(node):
    node.create("listed")
    with node.connect() as peer:
        names = [t["name"] for t in
                 peer.call("Metadata", 9, topics=None)["topics"]]
        true("listed" in names, "all topics")
        equal(peer.call("Metadata", 9, topics=[])["topics"], [])


@test
def a_topic_that_exists_is_not_created_again(node):
    with node.connect() as peer:
        equal(create(peer, "exists")["error_code"], 0)
        again = create(peer, "exists")
        equal(again["error_code"], 36)
        true(again["error_message"], "a message says so")


@cases("the topic name '{}' is invalid",
       ["", ".", "..", "a b", "ä", "a/b", "x" * 250])
def bad_name(node, name):
    with node.connect() as peer:
        equal(create(peer, name)["error_code"], 17)


@test
def the_longest_name_is_allowed(node):
    with node.connect() as peer:
        equal(create(peer, "x" * 249)["error_code"], 0)
        equal(produce(peer, "x" * 249, batch([b"a"]))["error_code"]
              in (0, 3, 6), True)


@test
def names_that_differ_in_dot_and_underscore_collide(node):
    with node.connect() as peer:
        equal(create(peer, "a.b_c")["error_code"], 0)
        equal(create(peer, "a_b.c")["error_code"], 17)


@test
def a_name_twice_in_one_request_is_invalid(node):
    with node.connect() as peer:
        topic = {"name": "double", "num_partitions": 1,
                 "replication_factor": 1}
        answer = peer.call("CreateTopics", 5, topics=[topic, topic],
                           timeout_ms=30000)
        equal({t["error_code"] for t in answer["topics"]}, {42})
        equal(describe(peer, "double")["error_code"], 3)


@cases("{} partitions are refused", [0, -2])
def bad_count(node, count):
    with node.connect() as peer:
        topic = create(peer, f"count{count}", num_partitions=count)
        equal(topic["error_code"], 37)


@cases("replication factor {} is refused", [0, 2, -2])
def bad_replication(node, factor):
    with node.connect() as peer:
        topic = create(peer, f"rf{factor}", replication_factor=factor)
        equal(topic["error_code"], 38)


@test
def minus_one_takes_the_brokers_defaults(node):
    with node.connect() as peer:
        topic = create(peer, "defaults", num_partitions=-1,
                       replication_factor=-1)
        equal((topic["error_code"], topic["num_partitions"],
               topic["replication_factor"]), (0, 1, 1))


@test
def replicas_may_be_assigned_by_hand(node):
    with node.connect() as peer:
        broker_id = peer.call("Metadata", 9, topics=[])["brokers"][0][
            "node_id"]

        def assign(name, *rows):
            return create(peer, name, num_partitions=-1,
                          replication_factor=-1, assignments=[
                              {"partition_index": index, "broker_ids": ids}
                              for index, ids in rows])["error_code"]
        equal(assign("hand", (0, [broker_id]), (1, [broker_id])), 0)
        equal(assign("stranger", (0, [broker_id + 7])), 39)
        equal(assign("hole", (0, [broker_id]), (2, [broker_id])), 39)
        equal(assign("twice", (0, [broker_id, broker_id])), 39)
        equal(create(peer, "both", num_partitions=2, assignments=[
            {"partition_index": 0, "broker_ids": [broker_id]}])["error_code"],
            42)


@cases("the configuration {} is refused", [
    "retention.ms=soon", "no.such.config=1", "cleanup.policy=burn",
    "segment.bytes=1", "max.message.bytes=-5", "compression.type=rar"])
def bad_config(node, pair):
    key, value = pair.split("=")
    with node.connect() as peer:
        topic = create(peer, "config-" + key, configs=[
            {"name": key, "value": value}])
        equal(topic["error_code"], 40)
        true(topic["error_message"], "a message says what is wrong")
        equal(describe(peer, "config-" + key)["error_code"], 3)


@test
def validate_only_creates_nothing(node):
    with node.connect() as peer:
        equal(create(peer, "only", validate_only=True)["error_code"], 0)
        equal(describe(peer, "only")["error_code"], 3)
        equal(create(peer, "exists", validate_only=True)["error_code"], 36)


@test
def a_deleted_topic_is_gone_and_may_come_back_empty(node):
    before = node.create("phoenix")
    with node.connect() as peer:
        equal(produce(peer, "phoenix", batch([b"old"]))["error_code"], 0)
        equal(delete(peer, "phoenix"), 0)
        wait_for(lambda: describe(peer, "phoenix")["error_code"] == 3,
                 "the topic is gone")
        after = node.create("phoenix")
        true(after != before, "another id")
        equal(read_all(peer, "phoenix"), [])
        equal(produce(peer, before, batch([b"x"]), 13)["error_code"], 100)
        equal(fetch(peer, before, 0, 13)["error_code"], 100)


@cases("DeleteTopics version {} deletes by name", range(1, 7))
def delete_versions(node, version):
    name = f"delete-v{version}"
    node.create(name)
    with node.connect() as peer:
        if version < 6:
            equal(delete(peer, name, version), 0)
        else:
            answer = peer.call("DeleteTopics", 6, topics=[{"name": name}],
                               timeout_ms=30000)
            equal(answer["responses"][0]["error_code"], 0)
        wait_for(lambda: describe(peer, name)["error_code"] == 3,
                 "the topic is gone")


@test
def a_topic_is_deleted_by_id(node):
    topic = node.create("by-id")
    with node.connect() as peer:
        answer = peer.call("DeleteTopics", 6, timeout_ms=30000, topics=[
            {"name": None, "topic_id": topic},
            {"name": None, "topic_id": b"\3" * 16}])
        errors = {r["topic_id"]: r["error_code"] for r in answer["responses"]}
        equal(errors, {topic: 0, b"\3" * 16: 100})


@test
def an_unknown_topic_is_not_deleted(node):
    with node.connect() as peer:
        equal(delete(peer, "never-was"), 3)


def grow(peer, name, count, version=3, validate_only=False,
         assignments=None):
    answer = peer.call("CreatePartitions", version, timeout_ms=30000,
                       validate_only=validate_only, topics=[
                           {"name": name, "count": count,
                            "assignments": assignments}])
    return answer["results"][0]["error_code"]


@cases("CreatePartitions version {} adds partitions", range(4))
def grow_versions(node, version):
    name = f"grow-v{version}"
    node.create(name, 2)
    with node.connect() as peer:
        equal(produce(peer, name, batch([b"old"]))["error_code"], 0)
        equal(grow(peer, name, 5, version), 0)
        wait_for(lambda: node.leads(name, 5), "five partitions")
        equal(produce(peer, name, batch([b"new"]),
                      partition=4)["error_code"], 0)
        equal(read_all(peer, name), [(0, b"old")])


@test
def partitions_never_become_fewer(node):
    node.create("shrink", 3)
    with node.connect() as peer:
        for count in (3, 2, 0, -1):
            equal(grow(peer, "shrink", count), 37)
        equal(grow(peer, "never-was", 3), 3)
        equal(grow(peer, "shrink", 4, validate_only=True), 0)
        equal(grow(peer, "shrink", 4, assignments=[
            {"broker_ids": [99]}]), 39)
        equal(len(describe(peer, "shrink")["partitions"]), 3)


@test
def topics_ids_configurations_and_data_outlive_restart_and_kill(node):
    topic = node.create("lasting", 3, retention_ms=123456789)
    with node.connect() as peer:
        equal(produce(peer, "lasting", batch([b"kept"]),
                      partition=2)["error_code"], 0)
        gone = node.create("going")
        equal(delete(peer, "going"), 0)
        equal(grow(peer, "lasting", 4), 0)
    for again in (node.restart, lambda: (node.kill(), node.start())):
        again()
        wait_for(lambda: node.leads("lasting", 4), "four partitions")
        with node.connect() as peer:
            seen = describe(peer, "lasting")
            equal((seen["topic_id"], len(seen["partitions"])), (topic, 4))
            equal(read_all(peer, "lasting", 2), [(0, b"kept")])
            equal(configs(peer, "lasting", "retention.ms"),
                  {"retention.ms": ("123456789", 1)})
            equal(describe(peer, "going")["error_code"], 3)
            equal(fetch(peer, gone, 0, 13)["error_code"], 100)


@test
def metadata_creates_a_topic_when_it_may(node):
    with node.connect() as peer:
        equal(describe(peer, "auto")["error_code"], 3)
        equal(describe(peer, "auto")["error_code"], 3)
        first = describe(peer, "auto", create=True)
        true(first["error_code"] in (0, 3, 5), "an error that fits")
        wait_for(lambda: describe(peer, "auto")["error_code"] == 0,
                 "the topic exists")
        equal(len(describe(peer, "auto")["partitions"]), 1)
        equal(describe(peer, "no good", create=True)["error_code"], 17)


@test
def the_metadata_logs_name_is_never_a_topics(node):
    name = "__cluster_metadata"
    with node.connect() as peer:
        equal(create(peer, name)["error_code"], 42)
        equal(create(peer, name, validate_only=True)["error_code"], 42)
        equal(describe(peer, name, create=True)["error_code"], 3)
    node.create("beside-metadata")
    node.restart()
    with node.connect() as peer:
        equal(describe(peer, "beside-metadata")["error_code"], 0,
              "the metadata after a restart")


@test
def produce_and_fetch_create_nothing(node):
    with node.connect() as peer:
        equal(produce(peer, "by-produce", batch([b"a"]))["error_code"], 3)
        equal(fetch(peer, "by-fetch", 0)["error_code"], 3)
        equal(describe(peer, "by-produce")["error_code"], 3)


@test
def auto_create_topics_enable_false_creates_nothing(node):
    del node
    with broker(auto_create_topics_enable="false") as strict, \
            strict.connect() as peer:
        equal(describe(peer, "auto", create=True)["error_code"], 3)
        equal(describe(peer, "auto", create=True)["error_code"], 3)


@test
def num_partitions_is_the_default_of_new_topics(node):
    del node
    with broker(num_partitions=5) as other, other.connect() as peer:
        describe(peer, "five", create=True)
        wait_for(lambda: len(describe(peer, "five")["partitions"]) == 5,
                 "five partitions")


@cases("DescribeConfigs version {} tells value and source", range(1, 5))
def describe_configs(node, version):
    name = f"configs-v{version}"
    node.create(name, retention_ms=5000000, cleanup_policy="compact")
    with node.connect() as peer:
        seen = configs(peer, name, version=version)
        equal(seen["retention.ms"], ("5000000", 1))
        equal(seen["cleanup.policy"], ("compact", 1))
        equal(seen["segment.bytes"], ("1073741824", 5))
        equal(configs(peer, name, "retention.ms", version=version),
              {"retention.ms": ("5000000", 1)})
        node_id = peer.call("Metadata", 9, topics=[])["brokers"][0]["node_id"]
        own = configs(peer, str(node_id), kind=4, version=version)
        true("log.dirs" in own and "num.partitions" in own,
             "the broker's own configuration")


@test
def configurations_of_an_unknown_topic_are_an_error(node):
    with node.connect() as peer:
        answer = peer.call("DescribeConfigs", 4, resources=[
            {"resource_type": 2, "resource_name": "never-was"}])
        equal(answer["results"][0]["error_code"], 3)


@cases("DescribeCluster version {} names the broker", range(3))
def describe_cluster(node, version):
    with node.connect() as peer:
        answer = peer.call("DescribeCluster", version)
        equal(answer["error_code"], 0)
        one, = answer["brokers"]
        equal((one["host"], one["port"]), (node.host, node.port))
        true(len(answer["cluster_id"]) == 22, "a cluster id")
        equal(peer.call("Metadata", 9, topics=[])["cluster_id"],
              answer["cluster_id"])


main(broker)
