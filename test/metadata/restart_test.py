#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Metadata across takhind's restarts."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import broker                                                   # noqa: E402
import tap                                                      # noqa: E402
from tap import equal, test                                     # noqa: E402


def leader_epoch(node, topic):
    """(of Metadata, of ListOffsets): what the image and the partition say."""
    with node.connect() as peer:
        metadata = peer.call("Metadata", 9, topics=[{"name": topic}])
        offsets = peer.call("ListOffsets", 7, topics=[{
            "name": topic, "partitions": [
                {"partition_index": 0, "timestamp": -1}]}])
    return (metadata["topics"][0]["partitions"][0]["leader_epoch"],
            offsets["topics"][0]["partitions"][0]["leader_epoch"])


@test
def a_partition_has_a_new_leader_epoch_after_a_kill_and_not_after_a_stop():
    with broker.broker("takhind") as node:
        node.create("t")
        equal(leader_epoch(node, "t")[0], 0)
        node.restart()
        equal(leader_epoch(node, "t")[0], 0)
        node.kill()
        node.start()
        equal(leader_epoch(node, "t"), (1, 1))


@test
def topics_and_their_configurations_come_back():
    with broker.broker("takhind") as node:
        made = node.create("t", 3, retention_ms=4711)
        node.create("gone")
        with node.connect() as peer:
            peer.call("DeleteTopics", 4, topic_names=["gone"],
                      timeout_ms=30000)
        node.kill()
        node.start()
        with node.connect() as peer:
            answer = peer.call("Metadata", 12, topics=None)
            configs = peer.call("DescribeConfigs", 1, resources=[{
                "resource_type": 2, "resource_name": "t",
                "configuration_keys": ["retention.ms"]}])
        equal([(topic["name"], topic["topic_id"], len(topic["partitions"]))
               for topic in answer["topics"]], [("t", made, 3)])
        equal(configs["results"][0]["configs"][0]["value"], "4711")


tap.main()
