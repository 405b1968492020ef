#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The administrative requests to takhind and to Apache Kafka 4.3.1, compared
as differential_test.py does it, whose machinery this uses."""
import contextlib
import sys

import differential_test as base
import tap
from calls import *
from differential_test import (EXISTING, Id, MAY_DIFFER, IGNORED, NAMED,
                               random_requests, versions)

tap._tests.clear()              # those of the other file are run by itself

MAY_DIFFER.update({
    "log_dir": "a path of each side",
    "total_bytes": "the device",
    "usable_bytes": "the device",
    "last_fetch_timestamp": "the clock",
    "last_caught_up_timestamp": "the clock",
    "leader_epoch": "Kafka's raft counts elections of its own",
    "replica_directory_id": "made by chance",
})
IGNORED.update({
    "log_end_offset": "Kafka writes a NoOp record every half second",
    "high_watermark": "the same",
    "listeners": "Takhin's controller has none: it is its own only client",
})

OFFSETS = "__consumer_offsets"
NAMED.update({
    "election_type": [0, 0, 1, 2], "broker_id": [2, 7, -1],
    "path": ["/nowhere"], "feature": ["nothing", "group.version"],
    "max_version_level": [1, 1, 7], "upgrade_type": [0, 1, 2, 3, 4],
    "replicas": [1, 1, 1, 2], "offset": [-1, 0, 1, 3, 99, -2],
    "partition_index": [-1, 0, 0, 0, 1, 5], "validate_only": [True],
    "response_partition_limit": [-1, 0, 1, 2, 3, 1000],
    "mechanism": [0, 1, 2, 3], "iterations": [1, 4096, 8192, 16384, 16385],
    "user": ["u"], "salt": [b"salt"], "salted_password": [b"password"],
})


@versions("DeleteRecords", 0, 2)
def delete_records(side, version):
    name = f"records-v{version}"
    side.node.create(name, 2, retention_ms=-1)
    side.node.create(name + "-compact", 1, cleanup_policy="compact")
    for _ in range(3):
        produce(side.peer, name, base.plain([b"a", b"b"]))

    def ask(name, *rows):
        side.call("DeleteRecords", version, timeout_ms=30000, topics=[{
            "name": name, "partitions": [
                {"partition_index": part, "offset": offset}
                for part, offset in rows]}])
    for offset in (0, 1, 1, 0, -2, 7, 1 << 60, 3, 6, -1):
        ask(name, (0, offset))
    ask(name, (0, -1), (1, -1), (2, 0), (-1, 0))
    ask(name + "-compact", (0, 0))
    ask("nobody", (0, 0))
    ask("", (0, 0))
    side.call("DeleteRecords", version, timeout_ms=30000, topics=[])
    ask(name)
    list_offset(side.peer, name, EARLIEST)


@versions("DescribeLogDirs", 1, 5)
def describe_log_dirs(side, version):
    def ask(*topics):
        side.call("DescribeLogDirs", version, topics=[
            {"topic": name, "partitions": parts} for name, parts in topics])
    ask(("filled", [0, 1]), ("kept", [0]))
    ask(("filled", [0]), ("filled", [0, 1]))
    ask(("nobody", [0]), ("kept", [5, -1]))
    ask(("kept", []))
    ask()


@versions("ElectLeaders", 0, 2)
def elect_leaders(side, version):
    def ask(topics, **fields):
        if topics is not None:
            topics = [{"topic": name, "partitions": parts}
                      for name, parts in topics]
        side.call("ElectLeaders", version, topic_partitions=topics,
                  timeout_ms=10000, **fields)
    rows = [("kept", [0, 1]), ("filled", [7, -1]), ("nobody", [0])]
    ask(rows)
    ask([])
    if version >= 1:
        for kind in (1, 2, -1):
            for some in (rows, [], None, [("kept", [])]):
                ask(some, election_type=kind)


@versions("AlterPartitionReassignments", 0, 1)
def alter_partition_reassignments(side, version):
    def ask(name, part, replicas, **fields):
        side.call("AlterPartitionReassignments", version, timeout_ms=10000,
                  topics=[{"name": name, "partitions": [
                      {"partition_index": part, "replicas": replicas}]}],
                  **fields)
    for replicas in ([1], [2], [1, 2], [], [1, 1], None, [-1]):
        ask("kept", 0, replicas)
    ask("kept", 9, [1])
    ask("kept", -1, None)
    ask("nobody", 0, [1])
    if version >= 1:
        ask("kept", 0, [1], allow_replication_factor_change=False)
    side.call("AlterPartitionReassignments", version, timeout_ms=10000,
              topics=[])


@versions("ListPartitionReassignments", 0, 0)
def list_partition_reassignments(side, version):
    for topics in (None, [], [{"name": "kept", "partition_indexes": [0]}],
                   [{"name": "nobody", "partition_indexes": [0]}]):
        side.call("ListPartitionReassignments", version, timeout_ms=10000,
                  topics=topics)


@versions("DescribeQuorum", 0, 2)
def describe_quorum(side, version):
    def ask(*rows):
        side.call("DescribeQuorum", version, topics=[
            {"topic_name": name, "partitions": [
                {"partition_index": part} for part in parts]}
            for name, parts in rows])
    ask(("__cluster_metadata", [0]))
    ask(("__cluster_metadata", [1]))
    ask(("__cluster_metadata", [0, 1]))
    ask(("kept", [0]))
    ask(("__cluster_metadata", [0]), ("kept", [0]))
    ask()


@versions("UpdateFeatures", 0, 2)
def update_features(side, version):
    def ask(*rows, validate_only=True):
        fields = {"validate_only": validate_only} if version >= 1 else {}
        side.call("UpdateFeatures", version, feature_updates=[
            {"feature": name, "max_version_level": level,
             **({"upgrade_type": kind} if version >= 1 else
                {"allow_downgrade": kind != 1})}
            for name, level, kind in rows], **fields)
    ask()
    if version == 0:        # which has no validate_only
        ask(("group.version", 1, 1))
        ask(("group.version", 9, 1))
        ask(("nothing", 1, 1))
        ask(("nothing", 0, 2))
        return
    for kind in (0, 1, 2, 3, 4):
        for name in ("metadata.version", "group.version", "kraft.version",
                     "transaction.version", "share.version", "nothing",
                     "eligible.leader.replicas.version", "streams.version"):
            for level in (-1, 0, 1, 2, 6, 7, 22, 28, 29, 30, 31, 99):
                if (name, level, kind) == ("kraft.version", 1, 1):
                    continue    # Takhin's quorum keeps the format it began in
                ask((name, level, kind))
    ask(("group.version", 0, 2), ("metadata.version", 99, 1))
    ask(("group.version", 0, 2), validate_only=False)
    ask(("group.version", 1, 1), validate_only=False)


@versions("UnregisterBroker", 0, 0)
def unregister_broker(side, version):
    for broker in (2, -1, 1 << 30):
        side.call("UnregisterBroker", version, broker_id=broker)


@versions("DescribeTopicPartitions", 0, 0)
def describe_topic_partitions(side, version):
    def ask(*names, cursor=None, **fields):
        if cursor:
            cursor = {"topic_name": cursor[0], "partition_index": cursor[1]}
        side.call("DescribeTopicPartitions", version, cursor=cursor,
                  topics=[{"name": name} for name in names], **fields)
    names = sorted(EXISTING)
    ask(*names)
    ask(*names, *names)
    ask("nobody", "a b", "kept")     # "" is UNKNOWN_SERVER_ERROR in Kafka
    for limit in (-1, 0, 1, 2, 3, 4, 5, 6, 7):
        ask(*names, response_partition_limit=limit)
        for part in (0, 1, 2, 9, -1):
            ask(*names, cursor=("filled", part),
                response_partition_limit=limit)
    ask(*names, cursor=("nobody", 0))
    ask("filled", cursor=("kept", 0))
    ask("nobody", "kept", cursor=("nobody", 0))


@versions("AlterUserScramCredentials", 0, 0)
def scram_credentials(side, version):
    def alter(upsert=(), delete=()):
        side.call("AlterUserScramCredentials", version, deletions=[
            {"name": name, "mechanism": kind} for name, kind in delete],
            upsertions=[{"name": name, "mechanism": kind, "iterations": rounds,
                         "salt": b"salt", "salted_password": b"pass" * 8}
                        for name, kind, rounds in upsert])
        time.sleep(0.2)             # Kafka applies it to its image later

    def describe(*names):
        side.call("DescribeUserScramCredentials", 0, users=[
            {"name": name} for name in names] if names != (None,) else None)
    alter([("ada", 1, 4096)])
    describe("ada")
    alter([("ada", 2, 16384), ("bob", 1, 8192)])
    describe("ada", "bob")
    describe(None)
    describe()
    describe("ada", "ada", "nobody")
    alter([("ada", 1, 4095), ("bob", 1, 16385), ("", 1, 4096),
           ("c", 0, 4096), ("d", 3, 4096)])
    alter([("eve", 1, 4096), ("eve", 2, 4096)])
    alter([("eve", 1, 4096)], [("eve", 2)])
    alter([], [("ada", 1), ("bob", 2), ("nobody", 1), ("", 1), ("x", 9)])
    alter([], [("ada", 2), ("ada", 2)])
    alter()
    describe("ada")
    alter([], [("ada", 2), ("bob", 1)])
    describe(None)


@versions("DescribeAcls", 1, 3)
def acls(side, version):
    side.call("DescribeAcls", version, resource_type_filter=1,
              resource_name_filter=None, principal_filter=None,
              host_filter=None, pattern_type_filter=1, operation=1,
              permission_type=1)
    rule = {"resource_type": 2, "resource_name": "kept", "principal": "User:a",
            "host": "*", "operation": 3, "permission_type": 3,
            "resource_pattern_type": 3}
    side.call("CreateAcls", version, creations=[rule, rule])
    side.call("CreateAcls", version, creations=[])
    side.call("DeleteAcls", version, filters=[{
        "resource_type_filter": 2, "resource_name_filter": "kept",
        "pattern_type_filter": 3, "principal_filter": None,
        "host_filter": None, "operation": 1, "permission_type": 1}])


@versions("ListConfigResources", 0, 1)
def list_config_resources(side, version):
    side.call("ListConfigResources", version)
    if version >= 1:
        for kinds in ([4], [8], [16], [32], [2, 4], [2, 2], [0], [3],
                      [4, 99], [-1]):
            if 2 in kinds:
                continue
            side.call("ListConfigResources", version, resource_types=kinds)


RANDOM = ["DescribeLogDirs", "ElectLeaders",
          "AlterPartitionReassignments", "ListPartitionReassignments",
          "DescribeQuorum", "UnregisterBroker", "DescribeTopicPartitions",
          "DescribeUserScramCredentials", "DescribeAcls", "CreateAcls",
          "DeleteAcls"]


@cases("random requests of {} are answered as by Kafka", RANDOM)
def random_admin_requests(pair, api):
    random_requests(pair, api)


if __name__ == "__main__":
    use_schemas(jar_schemas() if jar_path() else None)
    main(base.pair)
