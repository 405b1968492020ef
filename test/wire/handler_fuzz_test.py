#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that fit their schema and make no sense: nulls, empty and doubled
entries, extreme numbers, names that exist and names that do not, in every
version of every API that the broker advertises; and some with a null where
there may be none. Each is answered, with an answer that fits its schema, or
costs the sender its connection; none may end, stop or damage the broker.

The requests are drawn by TAKHIN_TEST_SEED, TAKHIN_TEST_ROUNDS of them for each
version of each API, in an order by chance, and from what earlier answers named:
members, producers, sessions and topics. So the seed gives the same requests
but for what the broker itself draws. No API is left out; Produce 0 to 2, which the
broker names for old clients' sake and serves to none, closes the connection.
"""
import random
import socket

from calls import *

SEED = os.environ.get("TAKHIN_TEST_SEED", "1")
ROUNDS = int(os.environ.get("TAKHIN_TEST_ROUNDS", 40))
TOPICS = ["known", "pair", "compacted"]
GROUPS = ["classic", "consumer", "offsets", ""]

# They wait for others, or are never answered (acks=0): silence is no failure.
WAITING = {"JoinGroup", "SyncGroup", "Fetch", "Produce", "ShareFetch"}
SILENCE = 0.05                  # seconds until a waiting request is left alone
OPEN = 8                        # of those at a time

# As in Kafka: versions that are named and not served, acks=0 that fails, and
# access rules with codes that mean nothing. All else that fits is answered.
MAY_CLOSE = {"Produce", "DescribeAcls", "CreateAcls", "DeleteAcls"}

LARGEST = {"int8": 127, "int16": 32767, "int32": 2147483647,
           "int64": (1 << 63) - 1}
IDS = [NO_ID, bytes(15) + b"\1", b"\xff" * 16, b"nobody's topic i"]
LONG = "n" * 300


def numbers(kind):
    most = LARGEST[kind]
    return [-1, 0, 1, 2, 3, -2, 10, most, -most - 1, most - 1]


def raw(*pieces):
    """Records of bytes that need not be records."""
    return Record(b"".join(pieces))


def subscription(*topics, version=0):
    names = b"".join(struct.pack(">h", len(t)) + t.encode() for t in topics)
    return struct.pack(">hi", version, len(topics)) + names + b"\xff" * 4


POOLS = {
    "string": ["", "x", "a b", LONG, "\u00fc\u4e16", *TOPICS, *GROUPS],
    "bool": [True, False], "uint16": [0, 1, 65535],
    "uint32": [0, 1, 4294967295],
    "float64": [0.0, -1.0, float("inf"), float("nan"), 1e308],
    "bytes": [b"", b"\0", b"rubbish", b"\xff" * 20, subscription("known"),
              subscription(*TOPICS, version=3), subscription("x", version=-1),
              subscription("known")[:-7], b"\0\1\x7f\xff\xff\xff",
              b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff"],
    "uuid": IDS,
    **{kind: numbers(kind) for kind in LARGEST},
}
NAMES = [*TOPICS, *TOPICS, "nobody", "new", "", "a b", ".", LONG,
         "__consumer_offsets", "__transaction_state", "__cluster_metadata"]
MEMBERS = ["", "nobody", "member", LONG]
NAMED = {
    "name": NAMES, "topic": NAMES, "topic_name": NAMES, "topic_names": NAMES,
    "resource_name": NAMES + ["1", "7", "-1", "2147483648", *GROUPS],
    "subscribed_topic_names": NAMES, "groups": GROUPS, "group_ids": GROUPS,
    "group_id": GROUPS, "groups_names": GROUPS, "key": [*GROUPS, "own", "x"],
    "coordinator_keys": [*GROUPS, "own", "group:topic:0", ":", "a:b:c"],
    "subscribed_topic_regex": ["", ".*", "k.*", "(", "[", "(a+)+$", "\\"],
    "transactional_id": ["own", "other", "", LONG],
    "transactional_id_pattern": ["", ".*", "(", "o.n"],
    "member_id": MEMBERS, "group_instance_id": [None, "", "fixed", LONG],
    "protocol_type": ["consumer", "consumer", "connect", ""],
    "protocol_name": ["range", "", "x"],
    "server_assignor": [None, "", "range", "uniform", "x"],
    "max_wait_ms": [0, 0, 0, 10, -1, LARGEST["int32"]],
    "timeout_ms": [0, 1, 100, -1, -2147483648],
    "acks": [-1, -1, 1, 1, 0, 2, -32768],
    "session_timeout_ms": [6000, 6000, 10000, 0, -1, LARGEST["int32"]],
    "rebalance_timeout_ms": [0, 10, 100, -1, -2147483648],
    "transaction_timeout_ms": [1, 1000, 60000, 0, -1, LARGEST["int32"]],
    "num_partitions": [-2, -1, 0, 1, 2, 3, LARGEST["int32"], -2147483648],
    "count": [-1, 0, 1, 2, 3, 4, LARGEST["int32"], -2147483648],
    "partitions": [0, 0, 1, 2, -1, LARGEST["int32"], -2147483648],
    "partition_indexes": [0, 0, 1, 2, -1, LARGEST["int32"], -2147483648],
    "broker_ids": [1, 1, 2, -1, LARGEST["int32"]],
    "resource_type": [2, 2, 4, 4, 3, 8, 16, 32, 0, 1, -128, 127],
    "configs": None, "configuration_keys": ["retention.ms", "", "x"],
    "max_bytes": [1 << 20, 0, 100, -1, LARGEST["int32"]],
    "partition_max_bytes": [1 << 20, 0, 100, -1, LARGEST["int32"]],
}
NAMED.update({key: [0, 0, 0, 1, 2, -1, LARGEST["int32"], -2147483648]
              for key in ("partition", "partition_index", "index")})
# The names and values of a topic's or a broker's configuration.
SETTINGS = {
    "name": ["retention.ms", "segment.bytes", "cleanup.policy", "x", "",
             "max.message.bytes", "compression.type", "segment.ms",
             "message.timestamp.type", "log.retention.ms", "listeners",
             "min.insync.replicas", "log.cleaner.threads",
             "consumer.session.timeout.ms", "flush.messages"],
    "value": ["", "x", "0", "1", "-1", "-2", "1048576", "9" * 30, "compact",
              "delete,compact", "compact,", ",", "gzip", "LogAppendTime"],
}


def some_records(chance):
    """Records for Produce: batches that are right, and batches whose checksum
    is right and nothing else needs to be."""
    good = record(b"v", key=b"k", headers=[("h", b"1"), ("", None)])
    odd = [raw(good[:chance.randrange(len(good))]), raw(varint(-1)),
           raw(varint(1 << 31)), raw(b"\xff" * 10), raw(varint(6), b"\0" * 6),
           raw(varint(7), b"\0\0\0", varint(-2), b"\0\0\0"),
           raw(varint(11), b"\0\0\0\1\1", varint(1 << 31), b"\0"),
           raw(varint(8), b"\0\0\0\1", varint(1 << 40)[:4]), Record(good)]
    fields = {
        "codec": chance.choice((0, 0, 0, 1, 2, 3, 4, 5, 7)),
        "attributes": chance.choice((0, 0, 0, 8, 16, 32, 48, 32704)),
    }
    if chance.random() < 0.5:
        fields.update(
            count=chance.choice((None, 0, 1, -1, LARGEST["int32"])),
            last_delta=chance.choice((None, 0, -1, LARGEST["int32"])),
            base_offset=chance.choice(numbers("int64")),
            max_timestamp=chance.choice(numbers("int64")),
            leader_epoch=chance.choice(numbers("int32")))
    if chance.random() < 0.3:
        fields.update(
            producer_id=chance.choice((0, 1, *numbers("int64"))),
            producer_epoch=chance.choice((0, 0, *numbers("int16"))),
            sequence=chance.choice((0, 1, *numbers("int32"))))
    batch_of = [chance.choice((b"", b"value", b"v" * 3000, chance.choice(odd)))
                for _ in range(chance.randrange(4))]
    made = batch(batch_of, chance.choice((None, None, -1, 0, -2,
                                          LARGEST["int64"])), **fields)
    kind = chance.random()
    if kind < 0.1:
        return made[:chance.randrange(len(made) + 1)]
    if kind < 0.2:                      # rubbish where it was compressed
        at = chance.randrange(61, len(made) + 1)
        body = bytearray(made[21:at] + chance.randbytes(20))
        return (made[:8] + struct.pack(">i", len(body) + 9) + made[12:17]
                + struct.pack(">I", crc32c(body)) + body)
    return b"".join([made] * chance.choice((1, 1, 1, 2)))


class Fuzz:
    """Draws requests; keeps what answers named."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.learned = {}
        self.fit = True                 # the last request fits its schema

    def learn(self, value):
        """Ids and epochs in an answer are drawn for fields of that name."""
        for name, item in value.items():
            for inner in item if isinstance(item, list) else [item]:
                if isinstance(inner, dict):
                    self.learn(inner)
            if name.endswith(("_id", "_epoch")) and item is not None:
                known = self.learned.setdefault(name, [])
                if item not in known:
                    known.append(item)
                    del known[:-6]

    def request(self, message, version):
        self.fit = True
        return self.fields(message.fields, version,
                           version in message.flexible, None)

    def fields(self, fields, version, flexible, pools):
        value = {}
        for field in fields:
            if version not in field.versions:
                continue
            value[field.name] = self.field(field, version, flexible, pools)
        if flexible and self.chance.random() < 0.02:
            value["_tags"] = {1000: b"", 5000: b"unknown"}
        return value

    def field(self, field, version, flexible, pools):
        chance = self.chance
        if version in field.nullable and chance.random() < 0.15:
            return None
        if ((field.array or field.type in ("string", "bytes"))
                and version not in field.nullable
                and chance.random() < 0.002):
            self.fit = False            # null all the same
            return None
        if not field.array:
            return self.one(field, version, flexible, pools)
        if field.name == "configs":
            pools = SETTINGS
        items = [self.one(field, version, flexible, pools)
                 for _ in range(chance.choice((0, 1, 1, 1, 2, 3)))]
        if items and chance.random() < 0.1:
            items += [chance.choice(items)]
        return items

    def one(self, field, version, flexible, pools):
        if field.fields:
            return self.fields(field.fields, version, flexible, pools)
        if field.type == "records":
            return some_records(self.chance)
        learned = self.learned.get(field.name)
        if learned and self.chance.random() < 0.5:
            value = self.chance.choice(learned)
            if self.fits(field.type, value):
                return value
        pool = ((pools or {}).get(field.name) or NAMED.get(field.name))
        pool = [value for value in pool or []
                if self.fits(field.type, value)] or POOLS[field.type]
        value = self.chance.choice(pool)
        if value is None and version not in field.nullable:
            return ""
        return value

    @staticmethod
    def fits(kind, value):
        """Whether VALUE can be sent as a KIND: names repeat in the schemas."""
        if kind in LARGEST:
            return (isinstance(value, int)
                    and -LARGEST[kind] - 1 <= value <= LARGEST[kind])
        if kind == "string":
            return value is None or isinstance(value, str)
        return kind == "uuid" and isinstance(value, bytes)


class Sender:
    """Sends requests, each on a connection that is not busy."""

    def __init__(self, node, fuzz):
        self.node = node
        self.fuzz = fuzz
        self.peer = None
        self.control = node.connect()
        self.busy = []
        self.closed = {}                # API: connections it cost

    def send(self, api, version, body):
        """Returns when the broker has answered, or proved that it serves."""
        peer = self.peer or self.node.connect()
        self.peer = peer
        waits = api in WAITING
        peer.socket.settimeout(SILENCE if waits else 30)
        try:
            if api == "Produce" and body["acks"] == 0:
                peer.send(api, version, body)
                peer.sent.pop()
                self.leave()            # what fails is told by a close
            else:
                self.fuzz.learn(peer.call(api, version, body))
        except socket.timeout:
            true(waits, "no answer within 30 s")
            self.leave()
        except (Closed, ConnectionError):
            true(api in MAY_CLOSE or not self.fuzz.fit,
                 "an answer, not the connection's end")
            self.closed[api] = self.closed.get(api, 0) + 1
            peer.close()
            self.peer = None
        equal(self.control.call("ApiVersions", 2)["error_code"], 0,
              "whether the broker still answers")

    def leave(self):
        """Leaves the request to wait; its connection stays for a while."""
        self.busy.append(self.peer)
        self.peer = None
        if len(self.busy) > OPEN:
            self.busy.pop(0).close()

    def close(self):
        for peer in [*self.busy, self.peer, self.control]:
            if peer:
                peer.close()


def served(node):
    """(API, version) of everything that the broker advertises."""
    names = {message.key: name.removesuffix("Request")
             for name, message in schemas().items()
             if name.endswith("Request")}
    with node.connect() as peer:
        rows = peer.call("ApiVersions", 2)["api_keys"]
    return [(names[row["api_key"]], version) for row in rows
            for version in range(row["min_version"], row["max_version"] + 1)]


def topics_are_there(node):
    """Creates the topics that requests have deleted."""
    with node.connect() as peer:
        for name, partitions, configs in (
                ("known", 1, []), ("pair", 2, []),
                ("compacted", 1, [{"name": "cleanup.policy",
                                   "value": "compact"}])):
            create(peer, name, num_partitions=partitions, configs=configs)


def report(node):
    """What a sanitizer said, else the end of the log."""
    lines = node.log().splitlines()
    for number, line in enumerate(lines):
        if "Sanitizer" in line or "runtime error:" in line:
            note("\n".join(lines[number:number + 40]))
            return


@test
def requests_that_fit_their_schema_never_end_the_broker(node):
    fuzz = Fuzz(SEED)
    sender = Sender(node, fuzz)
    pairs = served(node)
    api = version = body = None
    sent = []
    try:
        for _ in range(ROUNDS):
            topics_are_there(node)
            fuzz.chance.shuffle(pairs)
            for api, version in pairs:
                body = fuzz.request(schemas()[api + "Request"], version)
                sent = sent[-4:] + [f"{api} v{version} {body}"]
                sender.send(api, version, body)
        equal(node.process.poll() if node.kind == "takhind" else None, None,
              "exit status")
        true("runtime error:" not in node.log(), "undefined behaviour")
    except BaseException:
        note(f"TAKHIN_TEST_SEED={SEED} TAKHIN_TEST_ROUNDS={ROUNDS}; the last "
             "requests, the failing one last:")
        for text in sent:
            note(short(text) if os.environ.get("CI") else text)
        report(node)
        raise
    finally:
        sender.close()
    note(f"{ROUNDS * len(pairs)} requests; closed connections: "
         f"{sender.closed or 'none'}")


def serves(node, topic):
    with node.connect() as peer:
        equal(create(peer, topic)["error_code"], 0, "creation's error")
        equal(produce(peer, topic, batch([b"kept"]))["error_code"], 0)
        equal(read_all(peer, topic), [(0, b"kept")])


@test
def the_broker_still_serves_producers_and_consumers(node):
    serves(node, "after-all")


@test
def the_broker_stops_cleanly_and_starts_again(node):
    try:
        node.restart()
        with node.connect() as peer:
            equal(read_all(peer, "after-all"), [(0, b"kept")])
        serves(node, "after-restart")
        node.stop()
        true("runtime error:" not in node.log(), "undefined behaviour")
    except BaseException:
        report(node)
        raise


if __name__ == "__main__":
    main(lambda: broker(group_initial_rebalance_delay_ms=0,
                        offsets_topic_num_partitions=2,
                        transaction_state_log_num_partitions=2))
