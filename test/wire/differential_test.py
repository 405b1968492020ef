#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same requests to takhind and to Apache Kafka 4.3.1: the answers must be
the same, field by field, less what MAY_DIFFER lists and why.

A scenario is a function of one side; it runs on both, and what each `call`
was answered is compared pairwise. The random scenarios draw every field of
every request from small pools of good and bad values; $TAKHIN_TEST_SEED picks
another sequence, $TAKHIN_TEST_ROUNDS its length. With TAKHIN_TEST_BROKER=kafka
Kafka is compared with Kafka: what differs then is the test's fault.
"""
import contextlib
import random

from calls import *

import broker as fixture

# Field names whose values differ by nature: these are compared only as to
# whether they are there (zero, empty and null against anything else).
MAY_DIFFER = {
    "port": "each side has its own",
    "cluster_id": "made by chance",
    "producer_id": "counted by each side, in blocks of its own",
    "session_id": "made by chance",
    "log_append_time_ms": "the clock",
    "error_message": "own words are allowed, silence is not",
    "batch_index_error_message": "own words are allowed, silence is not",
    "documentation": "own words",
    "throttle_time_ms": "a matter of load",
}
# Fields that are left out of the comparison.
IGNORED = {
    "api_keys": "compared by a scenario of its own",
    "supported_features": "Kafka names features of APIs that come later",
    "finalized_features": "the same",
    "finalized_features_epoch": "the metadata log's offset",
    "current_leader": "a hint, sent with some errors only",
    "node_endpoints": "the same",
}

# Fields that are left out beside an error, where no client reads them.
WITH_ERROR = {
    "log_start_offset": "Kafka gives it with some errors of Produce",
}

EXISTING = "kept", "filled", "compacted"
TOPIC_CONFIGS = {"compacted": {"cleanup_policy": "compact"}}
STAMP = int(time.time()) * 1000 - 10000


def plain(values, **options):
    """Batches must be the same on both sides, whenever they are sent."""
    return batch(values, STAMP, **options)


class Side:
    """One broker, and what it answered."""

    def __init__(self, node):
        self.node = node
        self.peer = None
        self.answers = []
        self.names = {NO_ID: "no id"}

    def begin(self):
        """Forgets what the last scenario left."""
        self.answers = []
        self.peer = self.node.connect(timeout=20)
        self.learn()

    def id(self, name):
        """The topic's id here; one that nobody has when there is none."""
        for known, of in self.names.items():
            if of == name:
                return known
        return (name.encode() + bytes(16))[:16]

    def learn(self):
        for topic in self.node_call("Metadata", 12, topics=None)["topics"]:
            self.names[topic["topic_id"]] = topic["name"]

    def node_call(self, *arguments, **fields):
        with self.node.connect() as peer:
            return peer.call(*arguments, **fields)

    def call(self, api, version, body=None, **fields):
        """Sends; remembers the answer, made comparable; returns it raw."""
        body = {**(body or {}), **fields}
        try:
            answer = self.peer.call(api, version, resolved(body, self))
        except (Closed, socket.timeout, ConnectionError) as problem:
            answer = None
            seen = ("no answer" if isinstance(problem, socket.timeout)
                    else "closed")
            self.reconnect(f"{api} v{version} {short(summary(body))}")
        self.settle(api, body, answer)
        if answer is not None:
            seen = self.comparable(answer)
        self.answers.append((f"{api} v{version} {short(summary(body))}", seen))
        return answer

    def reconnect(self, request):
        try:
            self.peer = self.node.connect(timeout=20)
        except OSError:
            raise AssertionError(f"{self.node.kind} has ended at {request}"
                                 ) from None

    def settle(self, api, body, answer):
        """Waits until what changed is to be seen everywhere."""
        if api == "CreateTopics" and answer:
            for topic in answer["topics"]:
                if not topic["error_code"] and not body.get("validate_only"):
                    wait_for(lambda: self.seen(topic["name"]), "a new topic")
            self.learn()
        elif api == "DeleteTopics" and answer:
            for topic in answer["responses"]:
                if not topic["error_code"]:
                    wait_for(lambda: not self.exists(topic["name"]),
                             "a topic's end")
        elif api == "CreatePartitions" and answer:
            for topic in answer["results"]:
                if not topic["error_code"] and not body.get("validate_only"):
                    count = next(t["count"] for t in body["topics"]
                                 if t["name"] == topic["name"])
                    wait_for(lambda: self.seen(topic["name"], count),
                             "new partitions")

    def described(self, name):
        return self.node_call("Metadata", 12, topics=[{"name": name}],
                              allow_auto_topic_creation=False)["topics"][0]

    def exists(self, name):
        return self.described(name)["error_code"] == 0

    def seen(self, name, count=None):
        parts = self.described(name)["partitions"]
        return (parts and (count is None or len(parts) == count)
                and self.node.leads(name, len(parts)))

    def comparable(self, value, key=""):
        """VALUE without what may differ, and in a settled order."""
        if key in MAY_DIFFER:
            nothing = ("", None, -1) if key == "producer_id" else (
                0, "", None, -1)
            return "nothing" if value in nothing else "something"
        if isinstance(value, dict):
            return {name: self.comparable(inner, name)
                    for name, inner in value.items() if name not in IGNORED
                    and not (name in WITH_ERROR and value["error_code"])}
        if isinstance(value, list):
            return sorted((self.comparable(item) for item in grouped(value)),
                          key=repr)
        if isinstance(value, bytes) and len(value) == 16:
            return self.names.get(value, "an unknown id")
        if key == "records":
            return value or b""
        return value


def grouped(values):
    """VALUES with the partitions of one topic together: Kafka may name the
    topic again for those that are in error."""
    topics = {}
    for index, value in enumerate(values):
        if isinstance(value, dict) and "partitions" in value:
            key = value.get("topic"), value.get("topic_id"), value.get("name")
            first = topics.setdefault(key, {**value, "partitions": []})
            first["partitions"] = first["partitions"] + value["partitions"]
        else:
            topics[index] = value
    return list(topics.values())


def summary(value):
    """A request for a person to read: records only by their size."""
    if isinstance(value, dict):
        return {key: summary(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [summary(item) for item in value]
    if isinstance(value, bytes) and len(value) > 16:
        head = batches(value, whole=False) if len(value) > 60 and \
            value[16] == 2 and crc32c(value[21:]) == int.from_bytes(
                value[17:21], "big") else []
        return [{key: h[key] for key in h if key != "records"}
                for h in head] or f"<{len(value)} bytes>"
    return value


class Id(str):
    """In a request: the id of the topic of this name on either side."""


def resolved(value, side):
    if isinstance(value, Id):
        return side.id(str(value))
    if isinstance(value, dict):
        return {key: resolved(inner, side) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(item, side) for item in value]
    return value


def differences(ours, theirs, path=""):
    """The paths at which two answers differ, with both values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(set(ours) | set(theirs)):
            yield from differences(ours.get(key, "(missing)"),
                                   theirs.get(key, "(missing)"),
                                   f"{path}.{key}")
    elif (isinstance(ours, list) and isinstance(theirs, list)
          and len(ours) == len(theirs)):
        for index, (one, other) in enumerate(zip(ours, theirs)):
            yield from differences(one, other, f"{path}[{index}]")
    elif ours != theirs and not (path.endswith("error_message")
                                 and ours == "something"):
        yield f"{path}: {short(ours)} instead of {short(theirs)}"


class Pair:
    def __init__(self, ours, theirs):
        self.sides = Side(ours), Side(theirs)

    def log_tail(self):
        return self.sides[0].node.log_tail()

    def run(self, scenario, *arguments):
        for side in self.sides:
            if not side.node.running():         # an earlier scenario's work
                side.node.start()
            side.begin()
            scenario(side, *arguments)
            true(side.node.running(), side.node.kind + " has crashed after "
                 + side.answers[-1][0])
        found = []
        for (request, ours), (_, theirs) in zip(*(s.answers
                                                  for s in self.sides)):
            where = list(differences(ours, theirs))
            if where:
                found.append("\n".join([request, *where[:5]]))
        count = len(self.sides[0].answers)
        equal(count, len(self.sides[1].answers), "requests sent")
        if found:
            raise AssertionError(
                f"{len(found)} of {count} answers differ\n"
                + "\n".join(found[:8]))


@contextlib.contextmanager
def pair():
    fixture.need_kafka()
    options = {"node_id": 1, "num_partitions": 2,
               "auto_create_topics_enable": "false"}
    kind = os.environ.get("TAKHIN_TEST_BROKER") or "takhind"
    with broker(kind, **options) as ours, broker("kafka", **options) as theirs:
        both = Pair(ours, theirs)
        for node in (ours, theirs):
            for name in EXISTING:
                node.create(name, 2, retention_ms=-1,
                            **TOPIC_CONFIGS.get(name, {}))
            with node.connect() as peer:
                for index in range(5):
                    data = batch([b"value %d" % index] * 3,
                                 STAMP + index * 1000)
                    produce(peer, "filled", data)
                # Kafka's first block of producer ids takes a moment.
                wait_for(lambda: not peer.call(
                    "InitProducerId", 4, transactional_id=None,
                    transaction_timeout_ms=1000)["error_code"],
                    "producer ids")
        yield both


def scenario(function):
    """Registers FUNCTION(side), to be run on both sides and compared."""
    def both(pair):
        pair.run(function)
    both.__name__ = function.__name__
    test(both)
    return function


def versions(api, low, high):
    """Registers FUNCTION(side, version) for each version."""
    def register(function):
        def both(pair, version):
            pair.run(function, version)
        cases(f"{api} version {{}} is answered as by Kafka",
              range(low, high + 1))(both)
        return function
    return register


# Scenarios ------------------------------------------------------------------

@test
def no_api_is_advertised_beyond_kafkas_range(pair):
    """Takhind may serve less, but all that every client uses."""
    for version in range(5):
        ours, theirs = (
            {row["api_key"]: (row["min_version"], row["max_version"])
             for row in side.node_call(
                 "ApiVersions", version, client_software_name="test",
                 client_software_version="1")["api_keys"]}
            for side in pair.sides)
        true(set(ours) <= set(theirs), "no API that Kafka has not: "
             + str(set(ours) - set(theirs)))
        for key in (0, 1, 2, 3, 18, 19, 20, 22, 23, 32, 37, 60):
            equal(ours.get(key), theirs[key], f"range of API {key}")
        for key, (low, high) in ours.items():
            true(theirs[key][0] <= low and high <= theirs[key][1],
                 f"API {key} is served beyond Kafka's range")


@versions("ApiVersions", 0, 4)
def api_versions(side, version):
    side.call("ApiVersions", version, client_software_name="test",
              client_software_version="1.0")
    side.call("ApiVersions", version, client_software_name="",
              client_software_version="")
    side.call("ApiVersions", version, client_software_name="-bad-",
              client_software_version="1 0")


@versions("Metadata", 0, 13)
def metadata(side, version):
    body = {"allow_auto_topic_creation": False}

    def ask(*names, **more):
        side.call("Metadata", version, {**body, "topics": [
            {"name": name} for name in names], **more})
    ask("kept")
    ask("kept", "filled", "nobody")
    ask("kept", "kept")
    ask("no good")
    ask("", ".")
    ask("x" * 250)
    if version >= 1:
        ask()
    if version >= 8:
        ask("kept", include_topic_authorized_operations=True)
    if 8 <= version <= 10:
        ask("kept", include_cluster_authorized_operations=True)
    if version >= 10:
        for name in (Id("kept"), Id("nobody")):
            side.call("Metadata", version, {**body, "topics": [
                {"name": None, "topic_id": name}]})
        side.call("Metadata", version, {**body, "topics": [
            {"name": "kept", "topic_id": Id("kept")}]})
        if version < 12:                # later Kafka fails, and says not why
            side.call("Metadata", version, {**body, "topics": [
                {"name": None}]})


@versions("CreateTopics", 2, 7)
def create_topics(side, version):
    def ask(name, count=1, factor=1, validate_only=False, **fields):
        side.call("CreateTopics", version, timeout_ms=30000,
                  validate_only=validate_only, topics=[{
                      "name": name, "num_partitions": count,
                      "replication_factor": factor, **fields}])

    def config(name, **values):
        ask(name, configs=[{"name": key.replace("_", "."), "value": value}
                           for key, value in values.items()])
    own = f"made-v{version}"
    ask(own, 3)
    ask(own)
    ask(own + "-only", validate_only=True)
    ask("kept", validate_only=True)
    if version >= 4:
        ask(own + "-default", -1, -1)
    for name in ("", ".", "..", "a b", "x" * 250, "bad!"):
        ask(name)
    ask(own.replace("-", ".") + ".x")
    ask(own.replace("-", ".") + "_x")
    for count in (0, -2, -1 if version < 4 else 0):
        ask(own + "-count", count)
    for factor in (0, 2, -2, 100):
        ask(own + "-factor", 1, factor)
    ask("__consumer_offsets", validate_only=True)
    config(own + "-config", retention_ms="1000", cleanup_policy="compact")
    config(own + "-bad", retention_ms="soon")
    config(own + "-bad", cleanup_policy="burn")
    config(own + "-bad", segment_bytes="10")
    config(own + "-bad", no_such_config="1")
    config(own + "-bad", compression_type="rar")
    config(own + "-bad", retention_ms=None)
    config(own + "-bad", min_insync_replicas="0")
    config(own + "-bad", max_message_bytes="-1")
    config(own + "-policy", cleanup_policy="compact,delete")
    hand = {"num_partitions": -1, "replication_factor": -1}
    for index, rows in enumerate([
            [(0, [1])], [(0, [1]), (1, [1])], [(1, [1])], [(0, [7])],
            [(0, [1, 1])], [(0, [])], [(0, [1]), (0, [1])]]):
        ask(f"{own}-hand{index}", assignments=[
            {"partition_index": p, "broker_ids": ids} for p, ids in rows],
            **hand)
    ask(own + "-both", 2, assignments=[
        {"partition_index": 0, "broker_ids": [1]}])
    double = {"name": own + "-double", "num_partitions": 1,
              "replication_factor": 1}
    side.call("CreateTopics", version, topics=[double, double],
              timeout_ms=30000)
    side.call("CreateTopics", version, topics=[], timeout_ms=30000)


@versions("DeleteTopics", 1, 6)
def delete_topics(side, version):
    name = f"delete-v{version}"
    side.node.create(name)
    side.learn()
    for names in ([name, "nobody"], [name], ["", "a b"], [],
                  ["nobody", "nobody"]):
        body = ({"topics": [{"name": n} for n in names]} if version >= 6
                else {"topic_names": names})
        side.call("DeleteTopics", version, body, timeout_ms=30000)
    if version >= 6:
        side.node.create(name + "-id")
        side.learn()
        for topic in ({"name": None, "topic_id": Id(name + "-id")},
                      {"name": None, "topic_id": Id("nobody")},
                      {"name": "kept", "topic_id": Id("kept")},
                      {"name": None}):
            side.call("DeleteTopics", version, topics=[topic],
                      timeout_ms=30000)


@versions("CreatePartitions", 0, 3)
def create_partitions(side, version):
    name = f"grow-v{version}"
    side.node.create(name, 2)

    def ask(topic, count, assignments=None, validate_only=False):
        side.call("CreatePartitions", version, timeout_ms=30000,
                  validate_only=validate_only, topics=[
                      {"name": topic, "count": count, "assignments":
                       assignments and [{"broker_ids": ids}
                                        for ids in assignments]}])
    for count in (2, 1, 0, -1):
        ask(name, count)
    ask(name, 4, validate_only=True)
    ask(name, 3)
    ask(name, 4, [[1]])
    for ids in ([[7]], [[1], [1]], [[1, 1]], [[]]):
        ask(name, 5, ids)
    ask("nobody", 3)
    ask("", 3)
    row = {"name": name, "count": 9, "assignments": None}
    side.call("CreatePartitions", version, topics=[row, row],
              timeout_ms=30000)


@versions("Produce", 3, 13)
def produces(side, version):
    names = ("produce-v%d" % version, "nobody", "compacted")
    side.node.create(names[0], 2, max_message_bytes=5000, retention_ms=-1)
    side.learn()

    def topic(name):
        return Id(name) if version >= 13 else name

    def ask(data, name=names[0], partition=0, acks=-1, **fields):
        key = "topic_id" if version >= 13 else "name"
        side.call("Produce", version, acks=acks, timeout_ms=30000,
                  topic_data=[{key: topic(name), "partition_data": [
                      {"index": partition, "records": data}]}], **fields)
    good = plain([b"a", b"b"])
    for acks in (1, -1, 2, -2):
        ask(good, acks=acks)
    for codec in range(5):
        ask(plain([b"x" * 100, b"y"], codec=codec))
    ask(good, partition=1)
    for partition in (2, -1, 1 << 30):
        ask(good, partition=partition)
    ask(good, "nobody")
    ask(good, "compacted")
    ask(plain([Record(record(b"v", key=b"k"))]), "compacted")
    ask(plain([b"x" * 6000]))
    ask(plain([b"x" * 6000] * 3, codec=GZIP))
    ask(plain([b"a"], crc=1))
    for magic in (0, 1, 3, -1, 127):
        ask(plain([b"a"], magic=magic))
    ask(b"")
    ask(good + good)
    ask(good[:-1])
    ask(good[:60])
    ask(good[:11])
    for count in (0, 1, 3, -1):
        ask(plain([b"a", b"b"], count=count))
    for delta in (0, 2, -1):
        ask(plain([b"a", b"b"], last_delta=delta))
    ask(plain([b"a"], attributes=CONTROL))
    ask(plain([b"a"], attributes=TRANSACTIONAL))
    ask(plain([b"a"], attributes=TRANSACTIONAL, producer_id=5,
              producer_epoch=0, sequence=0))
    ask(plain([b"a"], base_offset=17, leader_epoch=9))
    ask(batch([b"a"], int(time.time() * 1000) + 7200000))
    ask(batch([b"a"], -1))
    ask(batch([b"a"], 0))
    ask(batch([b"a"], -2))
    ask(plain([b"a"], max_timestamp=STAMP + 5))
    for who, sequence, epoch in ((800, 0, 0), (800, 0, 0), (800, 2, 0),
                                 (800, 1, 0), (800, 5, 1), (800, 0, 1),
                                 (800, 2, 0), (801, 5, 0), (802, -1, 0),
                                 (804, -5, 0)):
        ask(plain([b"a"], producer_id=who, sequence=sequence,
                  producer_epoch=epoch))
    side.call("Fetch", 12, fetch_body(names[0], 0))
    side.call("Produce", version, acks=-1, topic_data=[], timeout_ms=1)


@versions("Fetch", 4, 18)
def fetches(side, version):
    def ask(name="filled", offset=0, partition=0, limit=1 << 20, **fields):
        part = {"partition": partition, "fetch_offset": offset,
                "partition_max_bytes": limit}
        part.update({key: fields.pop(key) for key in
                     ("current_leader_epoch", "last_fetched_epoch",
                      "log_start_offset") if key in fields})
        topic = ({"topic_id": Id(name)} if version >= 13
                 else {"topic": name})
        return side.call("Fetch", version, {
            "max_wait_ms": 0, "min_bytes": 0,
            "topics": [{**topic, "partitions": [part]}], **fields})
    for offset in (0, 1, 3, 14, 15, 16, -1, 1 << 60):
        ask(offset=offset)
    for limit in (0, 1, 100, 250):
        ask(limit=limit)
    for limit in (0, 1, 100, 250):
        ask(max_bytes=limit)
    for level in (0, 1):
        ask(isolation_level=level)
    ask("nobody")
    ask(partition=7)
    ask(partition=-1)
    ask("kept", 0)
    ask("kept", 1)
    if version >= 9:
        for epoch in (-1, 0, 1, 7, -5):
            ask(current_leader_epoch=epoch)
    if version >= 12:
        for epoch in (0, 1, 7):
            ask(last_fetched_epoch=epoch, offset=15)
            ask(last_fetched_epoch=epoch, offset=3)
    ask(**({"replica_state": {"replica_id": -2, "replica_epoch": -1}}
           if version >= 15 else {"replica_id": -2}))
    if version >= 7:
        sessions(side, version, ask)


def sessions(side, version, ask):
    first = ask(session_epoch=0)
    number = first["session_id"]
    for epoch in (1, 1, 5, 2):
        side.call("Fetch", version, max_wait_ms=0, min_bytes=0, topics=[],
                  session_id=number, session_epoch=epoch)
    ask(session_id=number, session_epoch=2, offset=15)
    ask("nobody", session_id=number, session_epoch=3)
    ask(session_id=number + 1, session_epoch=1)
    ask(session_id=number, session_epoch=0)
    ask(session_id=number, session_epoch=-1)
    ask(session_id=number, session_epoch=1)
    ask(session_id=0, session_epoch=4)
    ask(session_id=0, session_epoch=-7)


@versions("ListOffsets", 1, 11)
def list_offsets(side, version):
    def ask(when, name="filled", partition=0, **fields):
        part = {"partition_index": partition, "timestamp": when}
        if "current_leader_epoch" in fields:
            part["current_leader_epoch"] = fields.pop("current_leader_epoch")
        side.call("ListOffsets", version, topics=[
            {"name": name, "partitions": [part]}], **fields)
    for when in (-1, -2, -3, -4, -5, -6, -7, -100, 0, STAMP - 1, STAMP,
                 STAMP + 1, STAMP + 1000, STAMP + 4000, STAMP + 4001,
                 1 << 62):
        ask(when)
        ask(when, "kept")
    for name, partition in (("nobody", 0), ("filled", 9), ("filled", -1)):
        ask(-1, name, partition)
    for replica in (1, 2, -2, -3):
        ask(-1, replica_id=replica)
    if version >= 2:
        for level in (0, 1):
            ask(-1, isolation_level=level)
            ask(STAMP, isolation_level=level)
    if version >= 4:
        for epoch in (-1, 0, 1, 7):
            ask(-1, current_leader_epoch=epoch)
    row = {"partition_index": 0, "timestamp": -1}
    side.call("ListOffsets", version, topics=[
        {"name": "filled", "partitions": [row, row]}])
    side.call("ListOffsets", version, topics=[])


@versions("DescribeConfigs", 1, 4)
def describe_configs(side, version):
    def ask(kind, name, *keys, **fields):
        side.call("DescribeConfigs", version, resources=[{
            "resource_type": kind, "resource_name": name,
            "configuration_keys": list(keys) or None}], **fields)
    ask(2, "compacted")
    ask(2, "kept", include_synonyms=True)
    ask(2, "kept", "retention.ms", "no.such.config")
    ask(2, "nobody")
    ask(2, "")
    ask(2, "no good")
    ask(4, "1", "num.partitions", "log.retention.ms", "no.such.config")
    ask(4, "7")
    ask(4, "x")
    ask(3, "x")
    side.call("DescribeConfigs", version, resources=[])


@versions("DescribeCluster", 0, 2)
def describe_cluster(side, version):
    side.call("DescribeCluster", version)
    side.call("DescribeCluster", version,
              include_cluster_authorized_operations=True)
    if version >= 1:
        for kind in (1, 3):
            side.call("DescribeCluster", version, endpoint_type=kind)


@versions("InitProducerId", 0, 5)
def init_producer_id(side, version):
    side.call("InitProducerId", version, transactional_id=None,
              transaction_timeout_ms=60000)
    side.call("InitProducerId", version, transactional_id=None,
              transaction_timeout_ms=-1)
    side.call("InitProducerId", version, transactional_id="",
              transaction_timeout_ms=60000)
    if version >= 3:
        for who, epoch in ((5, 0), (-1, 3), (5, -1)):
            side.call("InitProducerId", version, transactional_id=None,
                      transaction_timeout_ms=60000, producer_id=who,
                      producer_epoch=epoch)


@versions("OffsetForLeaderEpoch", 2, 4)
def offset_for_leader_epoch(side, version):
    for name, partition in (("filled", 0), ("kept", 1), ("nobody", 0),
                            ("filled", 9)):
        for epoch in (-1, 0, 1, 7):
            for current in (-1, 0, 7):
                part = {"partition": partition, "leader_epoch": epoch,
                        "current_leader_epoch": current}
                side.call("OffsetForLeaderEpoch", version, topics=[
                    {"topic": name, "partitions": [part]}])


# Random requests ------------------------------------------------------------

NAMES = [*EXISTING, "nobody", "random", "", "a b"]
POOLS = {
    "string": ["", "x", *EXISTING],
    "bool": [True, False],
    "int8": [-1, 0, 1, 2, 4], "int16": [-1, 0, 1, 2],
    "int32": [-1, 0, 1, 2, 100], "uint16": [0, 1], "uint32": [0, 1],
    "int64": [-2, -1, 0, 1, 15, 16, STAMP], "float64": [0.0],
    "uuid": [Id(name) for name in (*EXISTING, "nobody")], "bytes": [b""],
    "records": [
        plain([b"a"]), plain([b"a", b"b"], codec=GZIP), b"", b"rubbish",
        plain([b"a"], crc=0), plain([b"a"] * 2) + plain([b"c"]),
        plain([Record(record(b"v", key=b"k"))]), plain([b"a"], count=5)],
}
NAMED = {
    "name": NAMES, "topic": NAMES, "topic_name": NAMES,
    "resource_name": NAMES + ["1"], "topic_names": NAMES,
    "max_wait_ms": [0], "min_bytes": [0], "timeout_ms": [30000],
    "max_bytes": [0, 100, 1 << 20], "session_epoch": [-1, 0],
    "session_id": [0, 7], "acks": [-1, 1],
    "partition_max_bytes": [0, 100, 1 << 20],
    "transactional_id": [None], "count": [-1, 0, 1, 2, 3],
    "num_partitions": [-1, 0, 1, 2], "resource_type": [2, 2, 2, 3, 9],
    "configuration_keys": ["retention.ms", "cleanup.policy", "x"],
    "client_software_name": ["a", "", "ok-name"],
    "client_software_version": ["1", "", "?"],
    "allow_auto_topic_creation": [False],
    "isolation_level": [0, 1], "replica_id": [-1, -1, -2], "rack_id": ["", "r"],
    "endpoint_type": [1, 2, 3], "cluster_id": [None, "x"],
    "configs": [],
}
RANDOM = ["ApiVersions", "Metadata", "Produce", "Fetch", "ListOffsets",
          "CreateTopics", "DeleteTopics", "CreatePartitions",
          "DescribeConfigs", "DescribeCluster", "InitProducerId",
          "OffsetForLeaderEpoch"]
KEEP = {"DeleteTopics": {"name": ["random", "nobody", ""], "topic_names":
                         ["random", "nobody", ""], "topic_id":
                         [Id("random"), Id("nobody")]},
        "CreatePartitions": {"name": ["random", "nobody", ""]}}


def draw(chance, fields, version, own):
    """A request's (or a struct's) value, every field by chance."""
    value = {}
    for field in fields:
        if version not in field.versions:
            continue
        if (version in field.nullable and field.type != "records"
                and chance.random() < 0.1):
            value[field.name] = None
        elif field.array and NAMED.get(field.name) == []:
            value[field.name] = []
        elif field.array:
            value[field.name] = distinct(
                draw_one(chance, field, version, own)
                for _ in range(chance.choice((1, 1, 1, 2, 3))))
        else:
            value[field.name] = draw_one(chance, field, version, own)
    return value


def distinct(values):
    """VALUES less those that name the same thing as an earlier one: Kafka's
    own answers to a topic that is asked for twice depend on its maps' order.
    """
    named = {}
    for value in values:
        if isinstance(value, dict):
            names = [value[key] for key in
                     ("name", "topic", "topic_id", "resource_name",
                      "partition", "index", "partition_index")
                     if key in value]
            named.setdefault(repr(names[:1]) if names else repr(value), value)
        else:
            named.setdefault(repr(value), value)
    return list(named.values())


def draw_one(chance, field, version, own):
    if field.fields:
        return draw(chance, field.fields, version, own)
    pool = own.get(field.name) or NAMED.get(field.name) or POOLS[field.type]
    value = chance.choice(pool)
    if value is None and version not in field.nullable:
        return "x" if field.type == "string" else 0
    return value


@cases("random requests of {} are answered as by Kafka", RANDOM)
def random_requests(pair, api):
    rounds = int(os.environ.get("TAKHIN_TEST_ROUNDS", 15))
    chance = random.Random(f"{os.environ.get('TAKHIN_TEST_SEED', 1)} {api}")
    message = schemas()[api + "Request"]
    low = 3 if api == "Produce" else message.versions.low
    high = min(message.versions.high, served(pair, message.key))
    requests = []
    for version in range(low, high + 1):
        for _ in range(rounds):
            requests.append((version, draw(chance, message.fields, version,
                                           KEEP.get(api, {}))))

    def all_of_them(side):
        for version, body in requests:
            side.call(api, version, body)
    pair.run(all_of_them)


def served(pair, key):
    return {row["api_key"]: row["max_version"] for row in
            pair.sides[1].node_call("ApiVersions", 0)["api_keys"]}[key]


if __name__ == "__main__":
    use_schemas(jar_schemas() if jar_path() else None)
    main(pair)
