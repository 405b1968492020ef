#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Transactions through real clients: Kafka's Java client, librdkafka, and
Kafka's own tools. What they say is committed is there, once; what they
aborted is not; also when the broker is killed under them."""
import os
import random
import subprocess
import sys
import threading

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from broker import BUILD, broker, need_kafka, wait_for          # noqa: E402
from kafka_wire import batch, jar_path                          # noqa: E402
from tap import Skip, equal, main, note, test, true             # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
RDKAFKA = os.path.join(BUILD, "test", "clients", "rdkafka_transactions")
PATIENCE = 300


def java(*arguments):
    """Starts the Java program of this directory."""
    need_kafka()
    jars = os.path.join(os.path.dirname(jar_path()), "*")
    return subprocess.Popen(
        ["java", "-Xmx256m", "-cp", jars,
         os.path.join(HERE, "Transactions.java"), *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)


def finish(process):
    """The standard output of a program that must succeed."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("it hangs: " + err[-2000:]) from None
    true(process.returncode == 0, err[-3000:])
    return out


def lines(process):
    return finish(process).splitlines()


def fill(node, topic, count):
    """COUNT different records over the topic's three partitions."""
    node.create(topic, 3)
    words = [b"%d" % i for i in range(count)]
    with node.connect() as peer:
        for partition in range(3):
            answer = peer.call("Produce", 9, acks=-1, timeout_ms=30000,
                               topic_data=[{
                                   "name": topic, "partition_data": [{
                                       "index": partition, "records": batch(
                                           words[partition::3])}]}])
            equal(answer["responses"][0]["partition_responses"][0]
                  ["error_code"], 0)
    return sorted(word.decode() for word in words)


@test
def a_Java_pipeline_moves_each_record_once(node):
    words = fill(node, "from", 300)
    node.create("to", 3)
    finish(java("pipe", node.address, "from", "to", "movers", "mover", 300, 1))
    equal(sorted(lines(java("read", node.address, "to"))), words)


@test
def it_does_so_while_the_broker_is_killed(_):
    count, kills = 2000, 4
    with broker(transaction_abort_timed_out_transaction_cleanup_interval_ms=500
                ) as node:
        words = fill(node, "from", count)
        node.create("to", 3)
        pipe = java("pipe", node.address, "from", "to", "movers", "mover",
                    count, 2)
        chance = random.Random(3)
        outcome = []
        thread = threading.Thread(
            target=lambda: outcome.append(pipe.communicate()))
        thread.start()
        try:
            for number in range(kills):
                with node.connect() as peer:
                    ends = lambda: sum(              # noqa: E731
                        p["offset"] for p in peer.call(
                            "ListOffsets", 7, replica_id=-1, topics=[{
                                "name": "to", "partitions": [
                                    {"partition_index": i, "timestamp": -1}
                                    for i in range(3)]}])
                        ["topics"][0]["partitions"])
                    start = ends()
                    more = chance.randint(20, 300)
                    wait_for(lambda: ends() > start + more
                             or not thread.is_alive(), "some work", PATIENCE)
                node.kill()
                node.start()
            thread.join(PATIENCE)
            true(not thread.is_alive(), "the pipeline comes to its end")
        finally:
            if thread.is_alive():
                pipe.kill()
                thread.join()
        out, err = outcome[0]
        true(pipe.returncode == 0, err[-3000:])
        note("%d times it began anew" % err.count("again:"))
        found = lines(java("read", node.address, "to"))
        equal(len(found), count)
        equal(sorted(found), words)


@test
def a_Java_producer_fences_the_one_before(node):
    node.create("fence")
    finish(java("fence", node.address, "fence", "fencer"))
    equal(lines(java("read", node.address, "fence")), ["ours"])


@test
def librdkafka_commits_and_aborts(node):
    if not os.path.exists(RDKAFKA):
        raise Skip("librdkafka is missing")
    node.create("rdkafka")
    done = subprocess.run([RDKAFKA, node.address, "rdkafka", "rdk", "rdks",
                           "20"], capture_output=True, text=True,
                          timeout=PATIENCE)
    true(done.returncode == 0, done.stderr[-3000:])
    equal(done.stdout.splitlines(),
          [f"{n}-{i}" for n in range(1, 21) if n % 3 for i in range(5)]
          + ["offset 20"])


@test
def Kafkas_perf_test_produces_in_transactions(node):
    node.create("perf")
    text = node.tool("producer-perf-test", "--topic", "perf",
                     "--num-records", 20000, "--record-size", 100,
                     "--throughput", -1, "--transactional-id", "perf",
                     "--transaction-duration-ms", 50,
                     "--bootstrap-server", node.address).decode()
    true("20000 records sent" in text, text)
    text = node.tool("consumer-perf-test", "--topic", "perf",
                     "--num-records", 20000, "--timeout", 60000,
                     "--bootstrap-server", node.address).decode()
    true("20000" in text, text)
    equal(len(lines(java("read", node.address, "perf"))), 20000)


@test
def Kafkas_tool_shows_and_ends_transactions(node):
    node.create("shown")
    process = java("fence", node.address, "shown", "shown-id")
    finish(process)
    def tool(*arguments):
        return node.tool("transactions", "--bootstrap-server", node.address,
                         *arguments).decode()
    listed = tool("list")
    true("shown-id" in listed and "CompleteCommit" in listed, listed)
    described = tool("describe", "--transactional-id", "shown-id")
    true("CompleteCommit" in described, described)
    producers = tool("describe-producers", "--topic", "shown",
                     "--partition", 0)
    true("None" in producers, producers)
    with node.connect() as peer:
        answer = peer.call("InitProducerId", 4, transactional_id="hang",
                           transaction_timeout_ms=60000)
        true(answer["error_code"] == 0, "a producer id")
        data = batch([b"x"], producer_id=answer["producer_id"],
                     producer_epoch=answer["producer_epoch"], sequence=0,
                     attributes=0x10)
        part = peer.call("Produce", 12, acks=-1, timeout_ms=30000,
                         transactional_id="hang", topic_data=[{
                             "name": "shown", "partition_data": [{
                                 "index": 0, "records": data}]}]
                         )["responses"][0]["partition_responses"][0]
        equal(part["error_code"], 0)
    tool("abort", "--topic", "shown", "--partition", 0, "--start-offset",
         part["base_offset"])
    equal(lines(java("read", node.address, "shown")), ["ours"])
    tool("forceTerminateTransaction", "--transactionalId", "hang")
    described = tool("describe", "--transactional-id", "hang")
    true("Empty" in described, described)


main(broker)
