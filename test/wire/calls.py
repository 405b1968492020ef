# SPDX-License-Identifier: Apache-2.0
"""Requests as most wire tests need them: one topic, one partition, and that
partition's part of the answer. TOPIC is a name or an id, as VERSION asks."""
import os
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from broker import broker, is_kafka, wait_for                   # noqa: E402,F401
from tap import (Skip, cases, equal, main, note, short,         # noqa: E402,F401
                 test, true)
from kafka_wire import *                                        # noqa: E402,F401,F403

EARLIEST, LATEST, MAX_TIMESTAMP = -2, -1, -3


def topic_key(topic):
    return {"topic_id": topic} if isinstance(topic, bytes) else {"name": topic}


def produce_body(topic, *data, partition=0, acks=-1, **fields):
    return {"acks": acks, "timeout_ms": 30000, "topic_data": [
        {**topic_key(topic), "partition_data": [
            {"index": partition + i, "records": d}
            for i, d in enumerate(data)]}], **fields}


def produce(peer, topic, data, version=12, **options):
    answer = peer.call("Produce", version,
                       produce_body(topic, data, **options))
    return answer["responses"][0]["partition_responses"][0]


def fetch_body(topic, offset, *, partition=0, partition_max_bytes=1 << 20,
               max_wait_ms=0, min_bytes=0, leader_epoch=-1, **fields):
    key = {"topic_id": topic} if isinstance(topic, bytes) else {"topic": topic}
    return {"max_wait_ms": max_wait_ms, "min_bytes": min_bytes, "topics": [
        {**key, "partitions": [{
            "partition": partition, "fetch_offset": offset,
            "current_leader_epoch": leader_epoch,
            "partition_max_bytes": partition_max_bytes}]}], **fields}


def fetch(peer, topic, offset, version=12, **options):
    answer = peer.call("Fetch", version, fetch_body(topic, offset, **options))
    return answer["responses"][0]["partitions"][0]


def read_all(peer, topic, partition=0):
    """Every (offset, value) of a partition, by as many fetches as it takes."""
    found = []
    while True:
        offset = found[-1][0] + 1 if found else 0
        part = fetch(peer, topic, offset, partition=partition)
        equal(part["error_code"], 0, "error of a fetch")
        if not part["records"]:
            equal(offset, part["high_watermark"], "where the log ends")
            return found
        found += values(part["records"], whole=False)


def list_offset(peer, topic, timestamp, version=9, partition=0, **fields):
    part = {"partition_index": partition, "timestamp": timestamp, **fields}
    answer = peer.call("ListOffsets", version, topics=[
        {"name": topic, "partitions": [part]}])
    return answer["topics"][0]["partitions"][0]


def create(peer, name, version=7, **fields):
    """One CreateTopics; returns the topic's part of the answer."""
    validate_only = fields.pop("validate_only", False)
    topic = {"name": name, "num_partitions": 1, "replication_factor": 1,
             **fields}
    answer = peer.call("CreateTopics", version, timeout_ms=30000,
                       topics=[topic], validate_only=validate_only)
    return answer["topics"][0]


def describe(peer, name, version=12, create=False):
    """The topic's part of a Metadata answer."""
    return peer.call("Metadata", version, topics=[{"name": name}],
                     allow_auto_topic_creation=create)["topics"][0]
