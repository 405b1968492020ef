#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Client quotas at work: who exceeds one is told for how long it is held off,
its connection is not read from meanwhile, and others do not feel it."""
from calls import *

RATE = 10000
HELD = 1000                     # bytes of a batch far below a quota


def set_quota(node, key, value, **who):
    with node.connect() as peer:
        answer = peer.call("AlterClientQuotas", 1, entries=[{
            "entity": [{"entity_type": kind.replace("_", "-"),
                        "entity_name": name} for kind, name in who.items()],
            "ops": [{"key": key, "value": float(value or 0),
                     "remove": value is None}]}])
    equal(answer["entries"][0]["error_code"], 0, "error of a quota")


def send(peer, size, acks=1):
    return peer.call("Produce", 12, produce_body(
        "t", batch([b"x" * size]), acks=acks))["throttle_time_ms"]


def client(node, name):
    return node.connect(client_id=name)




@test
def a_producer_above_its_rate_is_held_off(node):
    node.create("t")
    set_quota(node, "producer_byte_rate", RATE, client_id="loud")
    with client(node, "loud") as loud, client(node, "quiet") as quiet:
        equal(send(loud, HELD), 0, "throttle time below the quota")
        told = send(loud, 15 * RATE)
        true(1000 < told < 15000, f"held off for some seconds: {told} ms")
        equal(send(quiet, 15 * RATE), 0, "throttle time of another client")
        began = time.monotonic()
        send(loud, 1)
        muted = (time.monotonic() - began) * 1000
        true(muted >= told * 0.9, f"muted for {muted:.0f} of {told} ms")
    set_quota(node, "producer_byte_rate", None, client_id="loud")
    with client(node, "loud") as loud:
        equal(send(loud, 15 * RATE), 0, "throttle time without a quota")


@test
def the_most_special_quota_counts(node):
    set_quota(node, "producer_byte_rate", RATE, user=None)
    set_quota(node, "producer_byte_rate", 1e9, user="ANONYMOUS",
              client_id="free")
    with client(node, "free") as free, client(node, "other") as other:
        equal(send(free, 15 * RATE), 0, "throttle time of the special one")
        true(send(other, 15 * RATE) > 0, "the others share the default")
    set_quota(node, "producer_byte_rate", None, user=None)
    set_quota(node, "producer_byte_rate", None, user="ANONYMOUS",
              client_id="free")


@test
def a_consumer_above_its_rate_gets_nothing_and_then_all(node):
    set_quota(node, "consumer_byte_rate", 20000, client_id="reader")
    with client(node, "reader") as reader:
        found, held, offset = 0, 0, 0
        while found < 250000:
            answer = reader.call("Fetch", 12, fetch_body("t", offset))
            parts = [p for t in answer["responses"] for p in t["partitions"]]
            if answer["throttle_time_ms"]:
                equal(parts, [], "an answer that is held off")
                held += 1
                break
            data = parts[0]["records"]
            found += len(data)
            offset = values(data, whole=False)[-1][0] + 1
        true(held == 1, "held off once")
        told = answer["throttle_time_ms"]
        began = time.monotonic()
        answer = reader.call("Fetch", 12, fetch_body("t", offset))
        muted = (time.monotonic() - began) * 1000
        true(muted >= told * 0.9, f"muted for {muted:.0f} of {told} ms")
    set_quota(node, "consumer_byte_rate", None, client_id="reader")


@test
def who_keeps_threads_busy_is_held_off(node):
    set_quota(node, "request_percentage", 0.001, client_id="busy")
    with client(node, "busy") as busy:
        told = [0]
        while not told[-1]:
            told.append(busy.call("Metadata", 12,
                                  topics=None)["throttle_time_ms"])
        true(max(told) > 0, f"held off: {told}")
        true(max(told) <= 1000, f"never longer than a window: {told}")
    set_quota(node, "request_percentage", None, client_id="busy")


@test
def quotas_outlive_a_restart(node):
    set_quota(node, "producer_byte_rate", RATE, client_id="loud")
    node.restart()
    with client(node, "loud") as loud:
        true(send(loud, 15 * RATE) > 0, "held off")


main(lambda: broker(auto_create_topics_enable="false"))
