#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes golden/: small data directories of takhind and of Kafka, stopped in
order, and what `takhin-dump --records` says of each. Run it by hand when the
workload or the output changes, and look at the difference.

    TAKHIN_BUILD=build test/dump/make_golden.py [--text-only]
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "..", "wire")]

from calls import *                                             # noqa: E402,F403
import broker as fixture                                        # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
OPTIONS = {"offsets_topic_num_partitions": 1,
           "offsets_topic_replication_factor": 1,
           "transaction_state_log_num_partitions": 1,
           "transaction_state_log_replication_factor": 1,
           "transaction_state_log_min_isr": 1,
           "metadata_log_max_record_bytes_between_snapshots": 500,
           "group_initial_rebalance_delay_ms": 0}
STAMP = 1700000000000


def transact(peer, topic, commit):
    """One transaction of one batch."""
    answer = wait_for(lambda: (lambda a: a["error_code"] == 0 and a)(
        peer.call("InitProducerId", 4, transactional_id="tx",
                  transaction_timeout_ms=60000)), "a producer id")
    who = {"producer_id": answer["producer_id"],
           "producer_epoch": answer["producer_epoch"]}
    peer.call("AddPartitionsToTxn", 3, v3_and_below_transactional_id="tx",
              v3_and_below_producer_id=who["producer_id"],
              v3_and_below_producer_epoch=who["producer_epoch"],
              v3_and_below_topics=[{"name": topic, "partitions": [0]}])
    data = batch([b"in a transaction"], STAMP, sequence=0, attributes=0x10,
                 **who)
    equal(produce(peer, topic, data, 11, transactional_id="tx")["error_code"],
          0)
    answer = peer.call("EndTxn", 4, transactional_id="tx", committed=commit,
                       **who)
    equal(answer["error_code"], 0, "EndTxn")


def work(node):
    node.create("plain", 2, index_interval_bytes=200)
    node.create("rolled", 1, internal_segment_bytes=700,
                index_interval_bytes=150)
    node.create("moved", 1)
    with node.connect() as peer:
        for i in range(12):
            data = batch([b"value %d" % i] * (i % 3 + 1), STAMP + i)
            equal(produce(peer, "rolled", data)["error_code"], 0)
            equal(produce(peer, "plain", data)["error_code"], 0)
        for kind, key in enumerate(("group", "tx")):
            wait_for(lambda: peer.call(
                "FindCoordinator", 4, key_type=kind, coordinator_keys=[key])
                ["coordinators"][0]["error_code"] == 0, "a coordinator")
        transact(peer, "moved", True)
        transact(peer, "moved", False)
        wait_for(lambda: peer.call(
            "OffsetCommit", 8, group_id="group",
            generation_id_or_member_epoch=-1, topics=[{
                "name": "plain", "partitions": [{
                    "partition_index": 0, "committed_offset": 7,
                    "committed_metadata": "here"}]}])
            ["topics"][0]["partitions"][0]["error_code"] == 0, "a commit")


def remake(kind):
    where = os.path.join(GOLDEN, kind)
    shutil.rmtree(where, ignore_errors=True)
    with fixture.broker(kind, **OPTIONS) as node:
        work(node)
        node.stop()
        shutil.copytree(node.data, where,
                        ignore=shutil.ignore_patterns(".lock", "*.deleted"))


def describe(kind):
    said = subprocess.run(
        [os.path.join(fixture.BUILD, "takhin-dump"), "--records", kind],
        cwd=GOLDEN, check=True, capture_output=True).stdout
    with open(os.path.join(GOLDEN, kind + ".txt"), "wb") as file:
        file.write(said)


if __name__ == "__main__":
    os.makedirs(GOLDEN, exist_ok=True)
    for name in ("takhind", "kafka"):
        if "--text-only" not in sys.argv:
            remake(name)
        describe(name)
