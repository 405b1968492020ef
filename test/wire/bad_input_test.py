#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What no client should send: it costs the sender its connection, or gets the
protocol's error, and never touches anybody else."""
import random

from calls import *

API_VERSIONS = 18


def survives(node, sent, frame=True, reason="the connection is closed"):
    """Sends bytes, expects the connection's end, and an untouched broker."""
    with node.connect() as peer:
        try:
            peer.frame(sent) if frame else peer.raw(sent)
        except (ConnectionResetError, BrokenPipeError):
            pass                        # already closed: what is wanted
        true(peer.is_closed(), reason)
    still_serves(node)


def still_serves(node):
    with node.connect() as peer:
        equal(peer.call("ApiVersions", 2)["error_code"], 0)


def header(key, version, flexible=False):
    return struct.pack(">hhih4s", key, version, 7, 4, b"test") + (
        b"\0" if flexible else b"")


@test
def a_frame_beyond_socket_request_max_bytes_closes_the_connection(node):
    survives(node, struct.pack(">i", 104857601), frame=False)


@test
def the_largest_possible_frame_size_closes_the_connection(node):
    survives(node, b"\x7f\xff\xff\xff" + bytes(100), frame=False)


@cases("a frame size of {} closes the connection", [-1, -2147483648])
def negative(node, size):
    survives(node, struct.pack(">i", size), frame=False)


@cases("a frame of {} bytes is too short for a header and closes the "
       "connection", range(8))
def short_frame(node, size):
    survives(node, header(API_VERSIONS, 0)[:size])


@cases("api key {} is unknown and closes the connection", [-1, 999, 32767])
def unknown_key(node, key):
    survives(node, header(key, 0))


@cases("the unserved version {} of Metadata closes the connection",
       [-1, 14, 32767])
def unknown_version(node, version):
    survives(node, header(3, version) + bytes(20))


@cases("the unserved version {} of Produce closes the connection", [0, 2, 99])
def unknown_produce_version(node, version):
    survives(node, header(0, version) + bytes(20))


@cases("the unknown version {} of ApiVersions is answered in version 0 "
       "with the list", [5, 99, 32767])
def unknown_api_versions(node, version):
    with node.connect() as peer:
        peer.frame(header(API_VERSIONS, version, True) + b"\1\1\0")
        peer.sent.append(("ApiVersions", version, 7))
        answer = peer.receive()
        equal(answer["error_code"], 35)
        true(any(row["api_key"] == API_VERSIONS for row in
                 answer["api_keys"]), "the list names ApiVersions")
        equal(peer.call("ApiVersions", 2)["error_code"], 0,
              "the next request on the same connection")


@test
def a_client_id_longer_than_the_frame_closes_the_connection(node):
    survives(node, struct.pack(">hhih", 3, 1, 7, 32767) + b"test")


@test
def a_string_longer_than_the_frame_closes_the_connection(node):
    survives(node, header(3, 4) + struct.pack(">ih", 1, 32767) + b"topic")


@test
def a_negative_string_length_closes_the_connection(node):
    survives(node, header(3, 4) + struct.pack(">ih", 1, -2) + b"topic")


@test
def an_array_longer_than_the_frame_closes_the_connection(node):
    survives(node, header(3, 4) + struct.pack(">i", 2147483647))


@test
def nested_arrays_that_multiply_close_the_connection(node):
    body = struct.pack(">iiiibih1si", -1, 0, 0, 1, 0, 1000000, 1, b"t",
                       1000000)
    survives(node, header(1, 4) + body)


@test
def a_compact_array_longer_than_the_frame_closes_the_connection(node):
    survives(node, header(3, 12, True) + b"\xff\xff\xff\xff\x0f")


@test
def a_varint_without_an_end_closes_the_connection(node):
    survives(node, header(3, 12, True) + b"\xff" * 40)


@test
def a_tagged_field_longer_than_the_frame_closes_the_connection(node):
    survives(node, header(API_VERSIONS, 3, False) + b"\1\0\xff\xff\x03")


@test
def records_longer_than_the_frame_close_the_connection(node):
    body = struct.pack(">hhiih1siii", -1, 1, 1000, 1, 1, b"t", 1, 0, 1 << 30)
    survives(node, header(0, 3) + body)


@test
def a_tls_hello_closes_the_connection(node):
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(200)
    survives(node, hello, frame=False)


@test
def an_http_request_closes_the_connection(node):
    survives(node, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", frame=False)


@test
def half_a_frame_and_silence_disturbs_nobody(node):
    with node.connect() as peer:
        peer.raw(struct.pack(">i", 1000) + header(3, 4))
        still_serves(node)
        true(peer.is_quiet(0.2), "no answer to half a frame")
    still_serves(node)


@test
def half_a_frame_and_a_close_disturbs_nobody(node):
    for size in (1, 3, 4, 10, 500):
        with node.connect() as peer:
            peer.raw((struct.pack(">i", 1000) + header(3, 4)
                      + bytes(1000))[:size])
    still_serves(node)


@test
def a_request_sent_byte_by_byte_is_answered(node):
    with node.connect() as peer:
        request = header(API_VERSIONS, 0)
        for byte in struct.pack(">i", len(request)) + request:
            peer.raw(bytes([byte]))
        peer.sent.append(("ApiVersions", 0, 7))
        equal(peer.receive()["error_code"], 0)


@test
def a_client_that_never_reads_disturbs_nobody(node):
    topic = node.create("never-read")
    with node.connect() as peer:
        block = batch([b"x" * 500000])
        for _ in range(8):
            equal(produce(peer, topic, block, 13)["error_code"], 0)
    with node.connect() as peer:
        for _ in range(50):
            peer.send("Fetch", 13, fetch_body(
                topic, 0, partition_max_bytes=50 << 20))
        still_serves(node)
    still_serves(node)


@test
def a_client_that_resets_while_it_is_sent_records_disturbs_nobody(node):
    topic = node.create("reset")
    with node.connect() as peer:
        block = batch([b"x" * 500000])
        for _ in range(8):
            equal(produce(peer, topic, block, 13)["error_code"], 0)
    for _ in range(20):
        with node.connect() as peer:
            for _ in range(5):
                peer.send("Fetch", 13, fetch_body(
                    topic, 0, partition_max_bytes=50 << 20))
            peer.exactly(1000)
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
    still_serves(node)


@test
def requests_with_flipped_bytes_never_stop_the_broker(node):
    chance = random.Random(4)
    topic = node.create("flipped")
    good = []
    for api, version, body in (
            ("Produce", 9, produce_body("flipped", batch([b"a", b"b"]))),
            ("Produce", 13, produce_body(topic, batch([b"a"]))),
            ("Fetch", 11, fetch_body("flipped", 0)),
            ("Fetch", 17, fetch_body(topic, 0)),
            ("ListOffsets", 7, {"topics": [{"name": "flipped", "partitions": [
                {"partition_index": 0, "timestamp": -1}]}]}),
            ("Metadata", 12, {"topics": [{"name": "flipped"}],
                              "allow_auto_topic_creation": False}),
            ("DescribeConfigs", 4, {"resources": [
                {"resource_type": 2, "resource_name": "flipped"}]}),
            ("InitProducerId", 4, {}), ("DescribeCluster", 1, {}),
            ("OffsetForLeaderEpoch", 4, {})):
        message = schemas()[api + "Request"]
        good.append((header(message.key, version,
                            version in message.flexible),
                     encode(message, version, body)))
    for _ in range(600):
        head, body = chance.choice(good)
        torn = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            torn[chance.randrange(len(torn))] = chance.choice(
                (0, 1, 127, 128, 255, chance.randrange(256)))
        if chance.random() < 0.3:
            del torn[chance.randrange(len(torn)):]
        with node.connect() as peer:
            peer.frame(head + bytes(torn))
    still_serves(node)
    true(node.running(), "the broker runs")


@test
def five_hundred_connections_at_once_are_served(node):
    peers = [node.connect() for _ in range(500)]
    for peer in peers:
        peer.send("ApiVersions", 2)
    for peer in peers:
        equal(peer.receive()["error_code"], 0)
        peer.close()
    still_serves(node)


@test
def two_thousand_connections_one_after_the_other_leave_nothing(node):
    def descriptors():
        return len(os.listdir(f"/proc/{node.pid}/fd"))
    if not os.path.isdir("/proc/self/fd"):
        raise Skip("no /proc")
    before = descriptors()
    for _ in range(2000):
        node.connect().close()
    wait_for(lambda: descriptors() <= before + 5, "descriptors are closed")
    still_serves(node)


main(broker)
