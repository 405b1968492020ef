#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kafka's own administrative tools against takhind: what they print is what
they print for Apache Kafka 4.3.1 in the same state, less what each side has of
its own (ports, paths, times, offsets of the metadata log)."""
import concurrent.futures
import contextlib
import os
import re
import subprocess
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                os.path.join(os.path.dirname(os.path.dirname(
                    os.path.abspath(__file__))), "wire")]

import broker as fixture                                        # noqa: E402
from calls import *                                             # noqa: E402,F403

# What is replaced before outputs are compared, and by what.
OWN = [
    # takhind's controller has no listener of its own
    (r"(CONTROLLER|PLAINTEXT)://", "LISTENER://"),
    (r"127\.0\.0\.1:\d+|localhost:\d+", "ADDRESS"),
    (r"/\S*takhin-test-[^\",\s]*", "PATH"),
    (r"/tmp/[^\",\s]+", "PATH"),
    (r"(?<![A-Za-z0-9_.-])[A-Za-z0-9_-]{22}(?![A-Za-z0-9_.-])", "ID"),
    (r"Epoch: \d+", "Epoch: N"),
    (r"^(LeaderEpoch|HighWatermark|MaxFollowerLag|MaxFollowerLagTimeMs):.*",
     r"\1: N"),
    (r"\"(totalBytes|usableBytes|size)\":-?\d+", r'"\1":N'),
    (r"uuid\([^)]*\)", "UUID"),
]


class Pair:
    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs

    def log_tail(self):
        return self.ours.log_tail()

    def run(self, tool, *arguments, files=(), option="--bootstrap-server"):
        """Runs TOOL on both; returns takhind's output when they agree."""
        with concurrent.futures.ThreadPoolExecutor() as both:
            outputs = list(both.map(
                lambda node: settled(self.one(node, tool, arguments, option)),
                (self.ours, self.theirs)))
        equal(outputs[0], outputs[1], f"kafka {tool} {' '.join(arguments)}")
        return "\n".join(outputs[0])

    def one(self, node, tool, arguments, option):
        done = subprocess.run(
            [fixture.KAFKA, tool, option, node.address, *arguments],
            capture_output=True, text=True)
        return done.stdout + "".join(
            line + "\n" for line in done.stderr.splitlines()
            if "Exception" in line and "\tat " not in line)


def settled(output):
    lines = []
    for line in output.splitlines():
        for pattern, name in OWN:
            line = re.sub(pattern, name, line, flags=re.M)
        lines.append(line.rstrip())
    return sorted(line for line in lines if line)


@contextlib.contextmanager
def pair():
    fixture.need_kafka()
    options = {"node_id": 1, "auto_create_topics_enable": "false"}
    with fixture.broker("takhind", **options) as ours, \
            fixture.broker("kafka", **options) as theirs:
        for node in (ours, theirs):
            node.create("t", 2, retention_ms=-1)
            with node.connect() as peer:
                for _ in range(3):
                    produce(peer, "t", batch([b"a", b"b"]))
        yield Pair(ours, theirs)


@test
def configs_alter_and_describe_topics(pair):
    topic = "--entity-type", "topics", "--entity-name", "t"
    pair.run("configs", *topic, "--alter", "--add-config",
             "retention.ms=1000,cleanup.policy=[compact,delete]")
    shown = pair.run("configs", *topic, "--describe")
    true("retention.ms=1000" in shown, "the new value is shown")
    pair.run("configs", *topic, "--alter", "--delete-config",
             "retention.ms,cleanup.policy")
    pair.run("configs", *topic, "--describe")
    pair.run("configs", *topic, "--alter", "--add-config", "nothing=1")


@test
def configs_alter_and_describe_brokers(pair):
    for name in (["--entity-default"], ["--entity-name", "1"]):
        node = ["--entity-type", "brokers", *name]
        pair.run("configs", *node, "--alter", "--add-config",
                 "log.retention.ms=60000")
        pair.run("configs", *node, "--describe")
        pair.run("configs", *node, "--alter", "--delete-config",
                 "log.retention.ms")
    pair.run("configs", "--entity-type", "brokers", "--entity-name", "1",
             "--alter", "--add-config", "node.id=7")


@test
def configs_alter_and_describe_quotas_groups_and_metrics(pair):
    for kind, name, config in (
            ("clients", "c", "producer_byte_rate=1048576"),
            ("users", "u", "request_percentage=150.0"),
            ("groups", "g", "consumer.session.timeout.ms=50000"),
            ("client-metrics", "m", "interval.ms=10000")):
        who = "--entity-type", kind, "--entity-name", name
        pair.run("configs", *who, "--alter", "--add-config", config)
        pair.run("configs", *who, "--describe")
        pair.run("configs", *who, "--alter", "--delete-config",
                 config.split("=")[0])
        pair.run("configs", *who, "--describe")


@test
def configs_alter_and_describe_scram_credentials(pair):
    who = "--entity-type", "users", "--entity-name", "ada"
    pair.run("configs", *who, "--alter", "--add-config",
             "SCRAM-SHA-256=[iterations=8192,password=secret]")
    shown = pair.run("configs", *who, "--describe")
    true("iterations=8192" in shown, "the credential is shown")
    pair.run("configs", *who, "--alter", "--delete-config", "SCRAM-SHA-256")
    pair.run("configs", *who, "--describe")


@test
def topics_grow_and_are_described(pair):
    pair.run("topics", "--alter", "--topic", "t", "--partitions", "3")
    shown = pair.run("topics", "--describe", "--topic", "t")
    true("PartitionCount: 3" in shown, "three partitions")
    pair.run("topics", "--list")


@test
def records_are_deleted(pair):
    path = os.path.join(pair.ours.directory, "offsets.json")
    with open(path, "w") as file:
        file.write('{"partitions": [{"topic": "t", "partition": 0, '
                   '"offset": 3}], "version": 1}')
    shown = pair.run("delete-records", "--offset-json-file", path)
    true("low_watermark: 3" in shown, "the low watermark is told")
    pair.run("get-offsets", "--topic", "t", "--time", "earliest")


@test
def log_directories_are_described(pair):
    pair.run("log-dirs", "--describe", "--topic-list", "t")


@test
def reassignments_and_elections_of_one_broker(pair):
    path = os.path.join(pair.ours.directory, "plan.json")
    with open(path, "w") as file:
        file.write('{"version": 1, "partitions": [{"topic": "t", '
                   '"partition": 0, "replicas": [1]}]}')
    pair.run("reassign-partitions", "--reassignment-json-file", path,
             "--execute")
    pair.run("reassign-partitions", "--reassignment-json-file", path,
             "--verify")
    pair.run("reassign-partitions", "--list")
    pair.run("leader-election", "--election-type", "preferred", "--topic", "t",
             "--partition", "0")


@test
def features_are_described_and_changed(pair):
    pair.run("features", "describe")
    pair.run("features", "downgrade", "--feature", "group.version=0")
    pair.run("features", "describe")
    pair.run("features", "upgrade", "--feature", "group.version=1")


@test
def access_rules_need_an_authorizer(pair):
    pair.run("acls", "--list")
    pair.run("acls", "--add", "--allow-principal", "User:a", "--operation",
             "Read", "--topic", "t")


@test
def the_quorum_is_described(pair):
    shown = pair.run("metadata-quorum", "describe", "--status")
    true("LeaderId" in shown, "the leader is named")


main(pair)
