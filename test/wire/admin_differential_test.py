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
    "resource_type": [2, 2, 4, 8, 16, 32], "config_operation": [0, 0, 1, 2, 3],
    "mechanism": [0, 1, 2, 3], "iterations": [1, 4096, 8192, 16384, 16385],
    "user": ["u"], "salt": [b"salt"], "salted_password": [b"password"],
})


def alters(kind, low, high):
    """As `versions`, for IncrementalAlterConfigs of one kind of resource."""
    def register(function):
        def both(pair, version):
            pair.run(function, version)
        cases(f"IncrementalAlterConfigs version {{}} of {kind} is answered as "
              "by Kafka", range(low, high + 1))(both)
        return function
    return register


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


# Configurations ---------------------------------------------------------------

def describe_config(side, kind, name, *keys):
    """Waits until Kafka's broker has seen what its controller decided."""
    time.sleep(0.15 if side.node.kind == "Kafka" else 0)
    side.call("DescribeConfigs", 4, include_synonyms=True, resources=[{
        "resource_type": kind, "resource_name": name,
        "configuration_keys": list(keys) or None}])


def altering(side, version, kind, name):
    """A function that sends one IncrementalAlterConfigs for one resource."""
    def ask(*rows, **fields):
        side.call("IncrementalAlterConfigs", version, resources=[{
            "resource_type": kind, "resource_name": fields.pop("name", name),
            "configs": [{"name": key, "config_operation": op, "value": value}
                        for key, op, value in rows]}],
            validate_only=fields.pop("validate_only", False))
    return ask


SET, DELETE, APPEND, SUBTRACT = range(4)


@alters("topics", 0, 1)
def alter_topics(side, version):
    name = f"altered-v{version}"
    side.node.create(name)
    ask = altering(side, version, 2, name)
    keys = ("retention.ms", "cleanup.policy", "segment.bytes",
            "min.insync.replicas", "compression.type")
    ask(("retention.ms", SET, "1000"), ("segment.bytes", SET, "1048576"))
    describe_config(side, 2, name, *keys)
    ask(("retention.ms", SET, "1000"))
    ask(("retention.ms", DELETE, None), ("segment.bytes", DELETE, "x"))
    ask(("retention.ms", SET, "2000"), validate_only=True)
    describe_config(side, 2, name, *keys)
    ask(("cleanup.policy", APPEND, "compact"))
    describe_config(side, 2, name, *keys)
    ask(("cleanup.policy", APPEND, "compact,delete"))
    ask(("cleanup.policy", SUBTRACT, "delete"))
    describe_config(side, 2, name, *keys)
    ask(("cleanup.policy", SUBTRACT, "nothing"))
    ask(("cleanup.policy", APPEND, "burn"))
    ask(("retention.ms", APPEND, "7"))
    ask(("nothing", APPEND, "7"))
    ask(("nothing", SET, "7"))
    ask(("nothing", DELETE, None))
    ask(("retention.ms", SET, "soon"))
    ask(("retention.ms", SET, ""))
    ask(("retention.ms", SET, None))
    ask(("retention.ms", 9, "1"))
    ask(("retention.ms", SET, "1"), ("retention.ms", DELETE, None))
    ask(("min.compaction.lag.ms", SET, "10"),
        ("max.compaction.lag.ms", SET, "9"))
    ask(("retention.ms", SET, "5"), ("segment.bytes", SET, "x"))
    ask()
    describe_config(side, 2, name, *keys)
    for other in ("", "nobody", "a b", "x" * 250):
        ask(("retention.ms", SET, "5"), name=other)
        ask(("retention.ms", SET, "x"), name=other)
        ask(name=other)
    row = {"resource_type": 2, "resource_name": name, "configs": []}
    side.call("IncrementalAlterConfigs", version, resources=[row, row])
    side.call("IncrementalAlterConfigs", version, resources=[])
    for kind in (0, 1, 3, 99, -1):
        side.call("IncrementalAlterConfigs", version, resources=[
            {**row, "resource_type": kind}])


@alters("brokers", 0, 1)
def alter_brokers(side, version):
    # num.io.threads and its like are read-only here, and not in Kafka
    keys = ("log.retention.ms", "message.max.bytes", "custom.name",
            "log.cleanup.policy", "min.insync.replicas")
    for name in ("", "1"):
        ask = altering(side, version, 4, name)
        ask(("log.retention.ms", SET, "60000"),
            ("message.max.bytes", SET, "2000000"))
        describe_config(side, 4, name, *keys)
        describe_config(side, 4, "1", *keys)
        describe_config(side, 2, "filled", "retention.ms",
                        "max.message.bytes", "cleanup.policy")
        ask(("log.cleanup.policy", APPEND, "compact"))
        ask(("log.cleanup.policy", SUBTRACT, "delete"))
        describe_config(side, 4, name, *keys)
        ask(("log.cleanup.policy", DELETE, None))
        ask(("custom.name", SET, "x"))
        describe_config(side, 4, name, *keys)
        ask(("custom.name", DELETE, None))
        ask(("log.retention.ms", DELETE, None),
            ("message.max.bytes", DELETE, None))
        describe_config(side, 4, "1", *keys)
        ask(("num.partitions", SET, "3"))
        ask(("node.id", SET, "3"))
        ask(("log.retention.ms", SET, "soon"))
        ask(("log.retention.ms", APPEND, "7"))
        ask(("nothing", APPEND, "7"))
        ask(("log.retention.ms", 9, "7"))
        ask(("log.retention.ms", SET, None))
        ask(("log.segment.bytes", SET, "1"))
        ask(("compression.type", SET, "rar"))
        ask(("min.insync.replicas", SET, "2"), validate_only=True)
        ask(("min.insync.replicas", DELETE, None))
        ask(("leader.replication.throttled.rate", SET, "1000"))
        ask(("leader.replication.throttled.rate", SET, "x"))
        ask(("leader.replication.throttled.rate", DELETE, None))
        ask()
    for name in ("2", "x", "-1", "1 "):
        altering(side, version, 4, name)(("log.retention.ms", SET, "1"))


@alters("groups", 0, 1)
def alter_groups(side, version):
    name = f"group-v{version}"
    ask = altering(side, version, 32, name)
    describe_config(side, 32, name)
    ask(("consumer.session.timeout.ms", SET, "50000"))
    describe_config(side, 32, name)
    for key, values in {
            "consumer.session.timeout.ms": ("44999", "60001", "x", "0"),
            "consumer.heartbeat.interval.ms": ("4999", "15001", "15000"),
            "consumer.assignment.interval.ms": ("0", "15000", "15001", "-1"),
            "share.session.timeout.ms": ("44999", "45000", "60001"),
            "share.heartbeat.interval.ms": ("4999", "15001"),
            "share.record.lock.duration.ms": ("14999", "15000", "60001"),
            "share.delivery.count.limit": ("1", "2", "10", "11"),
            "share.partition.max.record.locks": ("99", "100", "10001"),
            "share.auto.offset.reset": ("earliest", "never",
                                        "by_duration:PT1H", "by_duration:x"),
            "share.isolation.level": ("read_committed", "x"),
            "share.renew.acknowledge.enable": ("false", "x"),
            "share.assignment.interval.ms": ("0", "15001"),
            "streams.session.timeout.ms": ("44999", "60001"),
            "streams.heartbeat.interval.ms": ("4999", "15001"),
            "streams.num.standby.replicas": ("1", "2", "3", "-1"),
            "streams.initial.rebalance.delay.ms": ("0", "100000", "-1"),
            "streams.assignment.interval.ms": ("0", "15001"),
            "nothing": ("1",)}.items():
        for value in values:
            ask((key, SET, value))
        ask((key, DELETE, None))
    ask(("consumer.session.timeout.ms", APPEND, "1"))
    describe_config(side, 32, name)
    describe_config(side, 32, name, "consumer.session.timeout.ms", "x")
    describe_config(side, 32, "")
    ask(("consumer.session.timeout.ms", SET, "50000"), name="")
    side.call("ListConfigResources", 1, resource_types=[32])


@alters("client metrics", 0, 1)
def alter_client_metrics(side, version):
    name = f"subscription-v{version}"
    ask = altering(side, version, 16, name)
    describe_config(side, 16, name)
    ask(("interval.ms", SET, "1000"))
    describe_config(side, 16, name)
    ask(("metrics", APPEND, "a.b"), ("match", APPEND, "client_id=x"))
    ask(("metrics", APPEND, "c"))
    describe_config(side, 16, name)
    ask(("metrics", SUBTRACT, "a.b"))
    for value in ("99", "100", "3600000", "3600001", "x", ""):
        ask(("interval.ms", SET, value))
    for value in ("client_id", "client_id=", "nothing=x", "client_id=a=b",
                  "client_id=a,client_source_port=1", " client_id = x", ""):
        ask(("match", SET, value))
    ask(("nothing", SET, "x"))
    describe_config(side, 16, name)
    describe_config(side, 16, "nobody")
    describe_config(side, 16, "")
    ask(("metrics", SET, "x"), name="")
    side.call("ListConfigResources", version)
    ask(("metrics", DELETE, None), ("match", DELETE, None),
        ("interval.ms", DELETE, None))
    describe_config(side, 16, name)


@alters("loggers", 0, 1)
def alter_loggers(side, version):
    ask = altering(side, version, 8, "1")
    ask(("root", SET, "WARN"))
    describe_config(side, 8, "1", "root")
    ask(("root", SET, "INFO"))
    ask(("root", DELETE, None))
    ask(("root", SET, "LOUD"))
    ask(("root", SET, "warn"))
    ask(("root", APPEND, "WARN"))
    ask(("root", SUBTRACT, "WARN"))
    ask(("root", 9, "WARN"))
    ask(("no.such.logger", SET, "WARN"))
    ask(("no.such.logger", DELETE, None))
    ask(("root", SET, None))
    for name in ("", "2", "x"):
        ask(("root", SET, "INFO"), name=name)
        describe_config(side, 8, name)


@versions("AlterConfigs", 0, 2)
def alter_configs(side, version):
    name = f"replaced-v{version}"
    side.node.create(name, retention_ms=1)
    keys = ("retention.ms", "segment.bytes", "cleanup.policy")

    def ask(kind, name, *rows, validate_only=False):
        side.call("AlterConfigs", version, validate_only=validate_only,
                  resources=[{"resource_type": kind, "resource_name": name,
                              "configs": [{"name": key, "value": value}
                                          for key, value in rows]}])
    ask(2, name, ("segment.bytes", "1048576"))
    describe_config(side, 2, name, *keys)
    ask(2, name, ("retention.ms", "5"), validate_only=True)
    ask(2, name, ("cleanup.policy", "compact"), ("retention.ms", "7"))
    describe_config(side, 2, name, *keys)
    ask(2, name)
    describe_config(side, 2, name, *keys)
    ask(2, name, ("retention.ms", None))
    ask(2, name, ("retention.ms", "1"), ("retention.ms", "2"))
    ask(2, name, ("nothing", "1"))
    ask(2, name, ("retention.ms", "soon"))
    for other in ("", "nobody", "a b"):
        ask(2, other, ("retention.ms", "1"))
    for node in ("", "1"):
        ask(4, node, ("log.retention.ms", "60000"))
        describe_config(side, 4, "1", "log.retention.ms")
        ask(4, node, ("num.partitions", "60000"))
        ask(4, node)
        describe_config(side, 4, "1", "log.retention.ms")
    ask(4, "7")
    ask(8, "1", ("root", "INFO"))
    ask(16, name, ("interval.ms", "1000"))
    ask(16, name)
    ask(32, name, ("consumer.session.timeout.ms", "50000"))
    ask(32, name)
    for kind in (0, 3, 99):
        ask(kind, name)
    # a resource that comes twice: Kafka never answers


# Quotas -------------------------------------------------------------------------

def entity(**parts):
    return [{"entity_type": kind.replace("_", "-"), "entity_name": name}
            for kind, name in parts.items()]


@versions("AlterClientQuotas", 0, 1)
def client_quotas(side, version):
    def alter(who, *ops, validate_only=False):
        side.call("AlterClientQuotas", version, entries=[{
            "entity": who, "ops": [
                {"key": key, "value": float(value or 0),
                 "remove": value is None} for key, value in ops]}],
            validate_only=validate_only)

    def describe(*parts, strict=False):
        time.sleep(0.15 if side.node.kind == "Kafka" else 0)
        side.call("DescribeClientQuotas", version, strict=strict, components=[
            {"entity_type": kind, "match_type": how, "match": name}
            for kind, how, name in parts])
    for who in (entity(user="ada"), entity(user=None), entity(client_id="c"),
                entity(client_id=None), entity(user="ada", client_id="c"),
                entity(user="ada", client_id=None),
                entity(user=None, client_id="c"),
                entity(user=None, client_id=None)):
        alter(who, ("producer_byte_rate", 1e9), ("request_percentage", 1e6))
    for who in (entity(ip="10.0.0.1"), entity(ip=None)):
        alter(who, ("connection_creation_rate", 100))
        alter(who, ("producer_byte_rate", 100))
    describe()
    for strict in (False, True):
        for name in ("user", "client-id", "ip"):
            for how, match in ((0, "ada"), (0, "c"), (1, None), (2, None),
                               (0, None), (1, "x"), (2, "x"), (3, None)):
                describe((name, how, match), strict=strict)
        describe(("user", 0, "ada"), ("client-id", 1, None), strict=strict)
        describe(("user", 2, None), ("client-id", 2, None), strict=strict)
    describe(("user", 2, None), ("user", 2, None))
    describe(("user", 2, None), ("ip", 2, None))
    describe(("", 2, None))
    describe(("nothing", 2, None))
    ada = entity(user="ada")
    for value in (0, -1, 1.5, 1e30):
        alter(ada, ("producer_byte_rate", value))
        alter(ada, ("request_percentage", value), validate_only=True)
    alter(ada, ("nothing", 1))
    alter(ada, ("nothing", None))
    alter(ada, ("connection_creation_rate", 1))
    alter(ada, ("consumer_byte_rate", 1), ("consumer_byte_rate", 2))
    alter(ada, ("consumer_byte_rate", 1e9), ("producer_byte_rate", 0))
    alter(ada, ("consumer_byte_rate", 1e9), validate_only=True)
    alter(ada)
    alter([], ("consumer_byte_rate", 1e9))
    alter(entity(user=""), ("consumer_byte_rate", 1e9))
    alter(entity(nothing="x"), ("consumer_byte_rate", 1e9))
    alter(entity(user="x", ip="10.0.0.1"), ("consumer_byte_rate", 1e9))
    describe(("user", 0, "ada"))
    for who in (ada, entity(user=None), entity(client_id="c"),
                entity(client_id=None), entity(user="ada", client_id="c"),
                entity(user="ada", client_id=None),
                entity(user=None, client_id="c"),
                entity(user=None, client_id=None)):
        alter(who, ("producer_byte_rate", None), ("request_percentage", None))
    for who in (entity(ip="10.0.0.1"), entity(ip=None)):
        alter(who, ("connection_creation_rate", None))
    describe()


RANDOM = ["DescribeLogDirs", "ElectLeaders",
          "AlterPartitionReassignments", "ListPartitionReassignments",
          "DescribeQuorum", "UnregisterBroker", "DescribeTopicPartitions",
          "DescribeUserScramCredentials", "DescribeAcls", "CreateAcls",
          "DeleteAcls",
          "AlterConfigs", "IncrementalAlterConfigs", "DescribeConfigs"]


@cases("random requests of {} are answered as by Kafka", RANDOM)
def random_admin_requests(pair, api):
    random_requests(pair, api)


if __name__ == "__main__":
    use_schemas(jar_schemas() if jar_path() else None)
    main(base.pair)
