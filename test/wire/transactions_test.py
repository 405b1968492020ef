#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What transactions promise on the wire (KIP-98, KIP-360, KIP-890): who may do
what in which state, what a read_committed reader sees, and that a kill at any
time leaves each transaction wholly committed or wholly aborted."""
import random
import threading

from calls import *

NONE, COMMITTED = 0, 1
TRANSACTIONAL = 0x10
CONCURRENT, COORDINATOR = 51, (14, 15, 16)
INVALID_REQUEST, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE = 42, 47, 48
INVALID_MAPPING, INVALID_TIMEOUT, NOT_AUTHORIZED = 49, 50, 53
NOT_ATTEMPTED, FENCED, NOT_FOUND, ABORTABLE = 55, 90, 105, 120
OUT_OF_ORDER, UNKNOWN_PARTITION = 45, 3


class Producer:
    """A transactional producer, by hand. VERSION 2 is KIP-890's: partitions
    join by Produce itself and each end brings a new epoch."""

    def __init__(self, peer, name, version=2):
        self.peer, self.name, self.version = peer, name, version
        self.sequences = {}

    def init(self, timeout=60000, **fields):
        def tried():
            answer = self.peer.call(
                "InitProducerId", 4 if self.version < 2 else 5,
                transactional_id=self.name, transaction_timeout_ms=timeout,
                **fields)
            return (answer["error_code"] not in (CONCURRENT, *COORDINATOR)
                    and answer)
        answer = wait_for(tried, "a producer id for " + self.name)
        equal(answer["error_code"], NONE, "InitProducerId")
        self.take(answer)
        return self

    def take(self, answer):
        self.id, self.epoch = answer["producer_id"], answer["producer_epoch"]
        self.sequences = {}

    def batch(self, topic, partition, values, sequence=None):
        if sequence is None:
            sequence = self.sequences.get((topic, partition), 0)
            self.sequences[topic, partition] = sequence + len(values)
        return batch(values, producer_id=self.id, producer_epoch=self.epoch,
                     sequence=sequence, attributes=TRANSACTIONAL)

    def add(self, topic, *partitions, version=3):
        answer = self.peer.call(
            "AddPartitionsToTxn", version,
            v3_and_below_transactional_id=self.name,
            v3_and_below_producer_id=self.id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=[{"name": topic,
                                  "partitions": list(partitions)}])
        parts = answer["results_by_topic_v3_and_below"][0]
        return [p["partition_error_code"] for p in
                sorted(parts["results_by_partition"],
                       key=lambda p: p["partition_index"])]

    def try_produce(self, topic, values, partition=0, version=None,
                    sequence=None):
        version = version or (12 if self.version > 1 else 11)
        data = self.batch(topic, partition, values, sequence)
        found = []
        def tried():
            found[:] = [produce(self.peer, topic, data, version,
                                partition=partition,
                                transactional_id=self.name)]
            return found[0]["error_code"] != CONCURRENT
        wait_for(tried, "the transaction before has ended")
        return found[0]

    def produce(self, topic, values, partition=0):
        if self.version < 2:
            equal(self.add(topic, partition), [NONE])
        part = self.try_produce(topic, values, partition)
        equal(part["error_code"], NONE, "Produce")
        return part["base_offset"]

    def try_end(self, commit, version=None):
        version = version or (5 if self.version > 1 else 4)
        return self.peer.call("EndTxn", version, transactional_id=self.name,
                              producer_id=self.id, producer_epoch=self.epoch,
                              committed=commit)

    def end(self, commit):
        answer = self.try_end(commit)
        equal(answer["error_code"], NONE, "EndTxn")
        if self.version > 1:
            self.take(answer)
        return answer

    def commit(self):
        return self.end(True)

    def abort(self):
        return self.end(False)


def coordinator(node, group=None):
    """Waits until the coordinators' topics are there."""
    with node.connect() as peer:
        for kind, key in ((1, "x"), (0, group)):
            if key:
                wait_for(lambda: peer.call(
                    "FindCoordinator", 4, key_type=kind,
                    coordinator_keys=[key])["coordinators"][0]["error_code"]
                    == NONE, "a coordinator")


def aborted_of(part):
    return sorted((a["producer_id"], a["first_offset"])
                  for a in part["aborted_transactions"] or [])


def committed(peer, topic, partition=0):
    """The values that a read_committed consumer is shown, as it filters
    them: by the aborted transactions and the markers."""
    shown, offset, open_aborts = [], 0, set()
    while True:
        part = fetch(peer, topic, offset, partition=partition,
                     isolation_level=COMMITTED)
        equal(part["error_code"], NONE, "error of a fetch")
        aborts = aborted_of(part)
        if not part["records"]:
            equal(offset, part["last_stable_offset"], "where it ends")
            return shown
        for head in batches(part["records"], whole=False):
            for producer, first in aborts:
                if first <= head["last_offset"] and head["attributes"] & 0x20 \
                        == 0 and producer == head["producer_id"]:
                    open_aborts.add(producer)
            if head["attributes"] & 0x20:
                open_aborts.discard(head["producer_id"])
                aborts = [(p, f) for p, f in aborts
                          if p != head["producer_id"]
                          or f > head["last_offset"]]
            elif not (head["attributes"] & TRANSACTIONAL
                      and head["producer_id"] in open_aborts):
                shown += [v for o, v in values(
                    raw_of(part["records"], head)) if o >= offset]
            offset = head["last_offset"] + 1


def raw_of(data, head):
    at = 0
    while True:
        base, length = struct.unpack_from(">qi", data, at)
        if base == head["base_offset"]:
            return data[at:at + length + 12]
        at += length + 12


def setup(node, name, partitions=1, version=2):
    coordinator(node)
    node.create(name, partitions)
    peer = node.connect()
    return peer, Producer(peer, "id-" + name, version).init()


VERSIONS = [1, 2]


@cases("a transaction of version {} is seen when it is committed", VERSIONS)
def commits(node, version):
    topic = f"commit{version}"
    peer, producer = setup(node, topic, 2, version)
    with peer:
        producer.produce(topic, [b"a", b"b"])
        producer.produce(topic, [b"c"], 1)
        part = fetch(peer, topic, 0, isolation_level=COMMITTED)
        equal((part["high_watermark"], part["last_stable_offset"],
               part["records"]), (2, 0, b""))
        equal(list_offset(peer, topic, LATEST)["offset"], 2)
        producer.commit()
        wait_for(lambda: committed(peer, topic) == [b"a", b"b"], "a and b")
        wait_for(lambda: committed(peer, topic, 1) == [b"c"], "c")
        equal(fetch(peer, topic, 0)["high_watermark"], 3, "with the marker")


@cases("a transaction of version {} is not seen when it is aborted", VERSIONS)
def aborts(node, version):
    topic = f"abort{version}"
    peer, producer = setup(node, topic, 1, version)
    with peer:
        producer.produce(topic, [b"gone"])
        first = producer.id
        producer.abort()
        wait_for(lambda: fetch(peer, topic, 0)["last_stable_offset"] == 2,
                 "the marker")
        producer.produce(topic, [b"stays"])
        producer.commit()
        wait_for(lambda: committed(peer, topic) == [b"stays"], "the second")
        part = fetch(peer, topic, 0, isolation_level=COMMITTED)
        equal(aborted_of(part), [(first, 0)])
        equal([v for _, v in values(part["records"])][:1], [b"gone"],
              "the records themselves are there")


@test
def ListOffsets_with_read_committed_ends_at_the_last_stable_offset(node):
    peer, producer = setup(node, "listed")
    with peer:
        equal(produce(peer, "listed", batch([b"plain"]))["error_code"], NONE)
        producer.produce("listed", [b"open"])
        def ends():
            return [peer.call("ListOffsets", 7, replica_id=-1,
                              isolation_level=level,
                              topics=[{"name": "listed", "partitions": [
                                  {"partition_index": 0,
                                   "timestamp": LATEST}]}])
                    ["topics"][0]["partitions"][0]["offset"]
                    for level in (0, 1)]
        equal(ends(), [2, 1])
        producer.commit()
        wait_for(lambda: ends() == [3, 3], "the marker")


@test
def a_waiting_read_committed_fetch_is_answered_by_the_commit(node):
    peer, producer = setup(node, "waiting")
    with peer, node.connect() as reader:
        producer.produce("waiting", [b"a"])
        reader.send("Fetch", 12, fetch_body("waiting", 0, max_wait_ms=20000,
                                            min_bytes=1,
                                            isolation_level=COMMITTED))
        producer.commit()
        part = reader.receive()["responses"][0]["partitions"][0]
        equal([v for _, v in values(part["records"])][:1], [b"a"])


@test
def pipelined_batches_of_a_transaction_keep_their_order(node):
    peer, producer = setup(node, "pipelined", 2)
    with peer:
        for number in range(20):
            peer.send("Produce", 12, produce_body(
                "pipelined", producer.batch("pipelined", number % 2,
                                            [b"%d" % number]),
                partition=number % 2, transactional_id=producer.name))
        equal([peer.receive()["responses"][0]["partition_responses"][0]
               ["error_code"] for _ in range(20)], [NONE] * 20)
        producer.commit()
        wait_for(lambda: committed(peer, "pipelined", 1) ==
                 [b"%d" % number for number in range(1, 20, 2)], "all")


@test
def every_end_of_version_2_brings_the_next_epoch(node):
    peer, producer = setup(node, "epochs")
    with peer:
        for epoch in range(5):
            equal(producer.epoch, epoch)
            producer.produce("epochs", [b"x"])
            producer.end(epoch % 2 == 0)
        wait_for(lambda: len(committed(peer, "epochs")) == 3, "three")


@test
def an_end_of_version_2_can_be_repeated(node):
    peer, producer = setup(node, "repeat")
    with peer:
        producer.produce("repeat", [b"x"])
        first = producer.try_end(True)
        wait_for(lambda: producer.try_end(True)["error_code"] != CONCURRENT,
                 "the transaction has ended")
        equal(producer.try_end(True), first)
        equal(producer.try_end(False)["error_code"], INVALID_TXN_STATE)


@test
def an_empty_transaction_may_be_aborted_but_not_committed(node):
    peer, producer = setup(node, "empty")
    with peer:
        equal(producer.try_end(True)["error_code"], INVALID_TXN_STATE)
        producer.abort()
        equal(producer.epoch, 1)
        old = Producer(peer, "id-empty-old", 1).init()
        equal(old.try_end(True)["error_code"], INVALID_TXN_STATE)
        equal(old.try_end(False)["error_code"], INVALID_TXN_STATE)


@test
def a_second_producer_with_the_id_fences_the_first(node):
    peer, producer = setup(node, "fence")
    with peer:
        producer.produce("fence", [b"zombie"])
        second = Producer(peer, "id-fence").init()
        equal(second.id, producer.id)
        true(second.epoch > producer.epoch, "a later epoch")
        part = producer.try_produce("fence", [b"zombie again"])
        equal(part["error_code"], INVALID_PRODUCER_EPOCH)
        equal(producer.try_end(True)["error_code"], FENCED)
        equal(producer.try_end(True, 1)["error_code"], INVALID_PRODUCER_EPOCH)
        second.produce("fence", [b"ours"])
        second.commit()
        wait_for(lambda: committed(peer, "fence") == [b"ours"], "ours")


@test
def a_producer_gets_its_next_epoch_by_naming_the_one_it_has(node):
    peer, producer = setup(node, "bump")
    with peer:
        had = producer.id, producer.epoch
        again = Producer(peer, "id-bump").init(producer_id=had[0],
                                               producer_epoch=had[1])
        equal((again.id, again.epoch), (had[0], had[1] + 1))
        repeat = Producer(peer, "id-bump").init(producer_id=had[0],
                                                producer_epoch=had[1])
        equal((repeat.id, repeat.epoch), (again.id, again.epoch), "a retry")
        Producer(peer, "id-bump").init()
        for version, error in ((3, INVALID_PRODUCER_EPOCH), (4, FENCED)):
            answer = peer.call("InitProducerId", version,
                               transactional_id="id-bump",
                               transaction_timeout_ms=60000,
                               producer_id=again.id,
                               producer_epoch=again.epoch)
            equal(answer["error_code"], error)


@test
def InitProducerId_refuses_what_makes_no_sense(node):
    coordinator(node)
    with node.connect() as peer:
        def init(name, timeout=60000, **fields):
            return peer.call("InitProducerId", 5, transactional_id=name,
                             transaction_timeout_ms=timeout,
                             **fields)["error_code"]
        equal(init(""), INVALID_REQUEST)
        equal(init("odd", 0), INVALID_TIMEOUT)
        equal(init("odd", -1), INVALID_TIMEOUT)
        equal(init("odd", 900001), INVALID_TIMEOUT)
        equal(init("odd", producer_id=5), INVALID_REQUEST)
        equal(init("odd", producer_epoch=5), INVALID_REQUEST)


@test
def a_partition_that_was_not_added_takes_no_batch_of_version_1(node):
    peer, producer = setup(node, "unadded", 2, 1)
    with peer:
        for version, error in ((10, INVALID_TXN_STATE), (11, ABORTABLE)):
            part = producer.try_produce("unadded", [b"x"], version=version,
                                        sequence=0)
            equal((part["error_code"], part["base_offset"]), (error, -1))
        equal(producer.add("unadded", 0), [NONE])
        part = producer.try_produce("unadded", [b"x"], 1, sequence=0)
        equal(part["error_code"], ABORTABLE, "the other partition")
        part = producer.try_produce("unadded", [b"x"], sequence=0)
        equal(part["error_code"], NONE)
        equal(list_offset(peer, "unadded", LATEST, partition=1)["offset"], 0)


@test
def after_the_end_a_partition_must_be_added_again(node):
    peer, producer = setup(node, "again", 1, 1)
    with peer:
        producer.produce("again", [b"x"])
        producer.commit()
        def refused():
            return producer.try_produce("again", [b"y"],
                                        sequence=1)["error_code"]
        equal(wait_for(lambda: (e := refused()) != 19 and e, "the end"),
              ABORTABLE)


@test
def Produce_checks_whose_transaction_it_is(node):
    peer, producer = setup(node, "whose", 2)
    with peer:
        def error(name, data, version=12):
            return produce(peer, "whose", data, version,
                           transactional_id=name)["error_code"]
        mine = producer.batch("whose", 0, [b"x"], 0)
        equal(error(None, mine), NOT_AUTHORIZED)
        equal(error("id-of-nobody", mine), INVALID_MAPPING)
        other = Producer(peer, "id-whose-other").init()
        equal(error("id-whose", other.batch("whose", 0, [b"x"], 0)),
              INVALID_MAPPING)
        equal(error("id-whose", producer.batch("whose", 0, [b"x"], 5)),
              OUT_OF_ORDER)
        answer = peer.call("Produce", 12, produce_body(
            "whose", mine, other.batch("whose", 1, [b"x"], 0),
            transactional_id="id-whose"))
        equal([p["error_code"] for p in
               answer["responses"][0]["partition_responses"]],
              [INVALID_MAPPING] * 2)
        equal(list_offset(peer, "whose", LATEST)["offset"], 0)


@test
def AddPartitionsToTxn_adds_all_or_none(node):
    peer, producer = setup(node, "adds", 2, 1)
    with peer:
        equal(producer.add("adds", 0, 7), [NOT_ATTEMPTED, UNKNOWN_PARTITION])
        equal(describe_id(peer, producer.name)["transaction_state"], "Empty")
        producer.epoch += 1
        equal(producer.add("adds", 0, version=1), [INVALID_PRODUCER_EPOCH])
        equal(producer.add("adds", 0, version=2), [FENCED])
        producer.id += 100
        equal(producer.add("adds", 0), [INVALID_MAPPING])


@cases("AddPartitionsToTxn version {} takes several transactions", [4, 5])
def batched(node, version):
    topic = f"batched{version}"
    peer, producer = setup(node, topic, 2)
    with peer:
        def ask(verify_only, *names):
            answer = peer.call("AddPartitionsToTxn", version, transactions=[
                {"transactional_id": name, "producer_id": producer.id,
                 "producer_epoch": producer.epoch,
                 "verify_only": verify_only,
                 "topics": [{"name": topic, "partitions": [0]}]}
                for name in names])
            return [t["topic_results"][0]["results_by_partition"][0]
                    ["partition_error_code"]
                    for t in answer["results_by_transaction"]]
        equal(ask(True, producer.name, "id-none"),
              [ABORTABLE, INVALID_MAPPING])
        equal(ask(False, producer.name, "id-none"), [NONE, INVALID_MAPPING])
        equal(ask(True, producer.name), [NONE])


def describe_id(peer, name):
    return peer.call("DescribeTransactions", 0,
                     transactional_ids=[name])["transaction_states"][0]


@test
def transactions_are_described_and_listed(node):
    peer, producer = setup(node, "shown", 3)
    with peer:
        producer.produce("shown", [b"x"], 2)
        producer.produce("shown", [b"x"], 0)
        state = describe_id(peer, producer.name)
        equal((state["error_code"], state["transaction_state"],
               state["producer_id"], state["producer_epoch"],
               state["transaction_timeout_ms"]),
              (NONE, "Ongoing", producer.id, producer.epoch, 60000))
        equal([(t["topic"], sorted(t["partitions"]))
               for t in state["topics"]], [("shown", [0, 2])])
        equal(describe_id(peer, "id-none")["error_code"], NOT_FOUND)
        equal(describe_id(peer, "")["error_code"], INVALID_REQUEST)

        def listed(version=1, **filters):
            answer = peer.call("ListTransactions", version, **filters)
            equal(answer["error_code"], NONE)
            return answer
        def names(**filters):
            return [t["transactional_id"]
                    for t in listed(**filters)["transaction_states"]]
        true(producer.name in names(), "it is listed")
        true(producer.name in names(state_filters=["Ongoing"]), "Ongoing")
        true(producer.name not in names(state_filters=["Empty"]), "Empty")
        equal(names(producer_id_filters=[producer.id]), [producer.name])
        equal(names(producer_id_filters=[producer.id],
                    duration_filter=3600000), [])
        equal(listed(state_filters=["Odd"])["unknown_state_filters"], ["Odd"])
        equal(names(version=2, transactional_id_pattern="id-sh[o]w."),
              [producer.name])
        equal(names(version=2, transactional_id_pattern="id-sho"), [])
        true(producer.name in names(version=2, transactional_id_pattern=""),
             "without a pattern")
        equal(peer.call("ListTransactions", 2, transactional_id_pattern="([")
              ["error_code"], 128)
        producer.abort()


@test
def DescribeProducers_shows_who_writes_and_since_when(node):
    peer, producer = setup(node, "writers")
    with peer:
        equal(produce(peer, "writers", batch([b"x"]))["error_code"], NONE)
        producer.produce("writers", [b"x", b"y"])
        def described():
            return peer.call("DescribeProducers", 0, topics=[
                {"name": "writers", "partition_indexes": [0, 9]}])
        parts = described()["topics"][0]["partitions"]
        equal([p["error_code"] for p in parts], [NONE, UNKNOWN_PARTITION])
        one = parts[0]["active_producers"][0]
        equal((one["producer_id"], one["producer_epoch"],
               one["last_sequence"], one["current_txn_start_offset"],
               one["coordinator_epoch"]),
              (producer.id, producer.epoch, 1, 1, -1))
        producer.commit()
        wait_for(lambda: described()["topics"][0]["partitions"][0]
                 ["active_producers"][0]["current_txn_start_offset"] == -1,
                 "the marker")


@cases("WriteTxnMarkers version {} ends a hanging transaction", [1, 2])
def markers(node, version):
    topic = f"hanging{version}"
    peer, producer = setup(node, topic)
    with peer:
        producer.produce(topic, [b"x"])
        epoch = producer.epoch + (version > 1)
        answer = peer.call("WriteTxnMarkers", version, markers=[{
            "producer_id": producer.id, "producer_epoch": epoch,
            "transaction_result": False, "coordinator_epoch": 0,
            "transaction_version": 2 if version > 1 else 0,
            "topics": [{"name": topic, "partition_indexes": [0, 5]}]}])
        equal({p["partition_index"]: p["error_code"] for p in
               answer["markers"][0]["topics"][0]["partitions"]},
              {0: NONE, 5: UNKNOWN_PARTITION})
        part = fetch(peer, topic, 0, isolation_level=COMMITTED)
        equal((part["last_stable_offset"], aborted_of(part)),
              (2, [(producer.id, 0)]))


def offset_of(peer, group, topic, stable=False):
    answer = peer.call("OffsetFetch", 8, require_stable=stable, groups=[{
        "group_id": group, "topics": [{"name": topic,
                                       "partition_indexes": [0]}]}])
    found = answer["groups"][0]
    if found["error_code"]:
        return found["error_code"]
    part = found["topics"][0]["partitions"][0]
    return part["error_code"] or part["committed_offset"]


def commit_offset(producer, group, topic, offset, version):
    answer = producer.peer.call(
        "TxnOffsetCommit", version, transactional_id=producer.name,
        group_id=group, producer_id=producer.id,
        producer_epoch=producer.epoch, topics=[{
            "name": topic, "partitions": [{"partition_index": 0,
                                           "committed_offset": offset}]}])
    return answer["topics"][0]["partitions"][0]["error_code"]


@cases("offsets of a transaction of version {} count once it is committed",
       VERSIONS)
def offsets(node, version):
    topic, group = f"offsets{version}", f"group{version}"
    coordinator(node, group)
    peer, producer = setup(node, topic, 1, version)
    with peer:
        wait_for(lambda: offset_of(peer, group, topic) == -1, "the group's "
                 "coordinator")
        for offset, commit in ((5, True), (6, False), (7, True)):
            before = offset_of(peer, group, topic)
            if version < 2:
                equal(commit_offset(producer, group, topic, offset, 4),
                      ABORTABLE, "before the group was added")
                equal(peer.call("AddOffsetsToTxn", 3,
                                transactional_id=producer.name,
                                producer_id=producer.id,
                                producer_epoch=producer.epoch,
                                group_id=group)["error_code"], NONE)
            wait_for(lambda: commit_offset(
                producer, group, topic, offset, 5 if version > 1 else 3)
                == NONE, "the offset is taken")
            equal(offset_of(peer, group, topic), before, "while it is open")
            equal(offset_of(peer, group, topic, True), 88,
                  "UNSTABLE_OFFSET_COMMIT")
            producer.end(commit)
            wait_for(lambda: offset_of(peer, group, topic, True) ==
                     (offset if commit else before), "the end")


@test
def a_zombie_commits_no_offsets(node):
    coordinator(node, "zombies")
    peer, producer = setup(node, "zombie")
    with peer:
        Producer(peer, producer.name).init()
        equal(commit_offset(producer, "zombies", "zombie", 1, 5),
              INVALID_PRODUCER_EPOCH)
        equal(offset_of(peer, "zombies", "zombie"), -1)


# With a broker of their own --------------------------------------------------

@test
def a_transaction_that_takes_too_long_is_aborted(_):
    with broker(transaction_abort_timed_out_transaction_cleanup_interval_ms=100
                ) as node:
        coordinator(node)
        node.create("late")
        with node.connect() as peer:
            producer = Producer(peer, "id-late").init(timeout=200)
            producer.produce("late", [b"x"])
            wait_for(lambda: describe_id(peer, "id-late")
                     ["transaction_state"] == "CompleteAbort", "the abort")
            part = fetch(peer, "late", 0, isolation_level=COMMITTED)
            equal((part["last_stable_offset"], aborted_of(part)),
                  (2, [(producer.id, 0)]))
            equal(producer.try_end(True)["error_code"], INVALID_TXN_STATE)


@test
def an_idle_transactional_id_is_forgotten(_):
    with broker(
            transactional_id_expiration_ms=100,
            transaction_remove_expired_transaction_cleanup_interval_ms=100
            ) as node:
        coordinator(node)
        node.create("idle")
        with node.connect() as peer:
            Producer(peer, "id-idle").init()
            wait_for(lambda: describe_id(peer, "id-idle")["error_code"] ==
                     NOT_FOUND, "it is gone")
            node.restart()
        with node.connect() as peer:
            wait_for(lambda: describe_id(peer, "id-idle")["error_code"] ==
                     NOT_FOUND, "it stays gone")


def snapshot(node, peer, topic):
    part = peer.call("DescribeProducers", 0, topics=[
        {"name": topic, "partition_indexes": [0]}])
    return part["topics"][0]["partitions"][0]["active_producers"]


@cases("an ongoing transaction survives a {}", ["stop", "kill"])
def survives(_, how):
    with broker() as node:
        peer, producer = setup(node, "kept")
        with peer:
            producer.produce("kept", [b"a"])
            before = snapshot(node, peer, "kept")
        getattr(node, how)()
        node.start()
        with node.connect() as peer:
            equal(snapshot(node, peer, "kept"), before)
            equal(fetch(peer, "kept", 0)["last_stable_offset"], 0)
            producer.peer = peer
            wait_for(lambda: describe_id(peer, producer.name)
                     ["transaction_state"] == "Ongoing", "it is replayed")
            producer.produce("kept", [b"b"])
            producer.commit()
            wait_for(lambda: committed(peer, "kept") == [b"a", b"b"], "both")


@test
def Kafkas_dump_log_reads_what_is_written(_):
    with broker() as node:
        peer, producer = setup(node, "dumped")
        with peer:
            producer.produce("dumped", [b"a"])
            producer.abort()
            producer.produce("dumped", [b"b"])
            producer.commit()
        node.stop()
        def dump(name, *options):
            directory = os.path.join(node.data, name)
            return [node.tool("dump-log", "--files",
                              os.path.join(directory, file),
                              *options).decode()
                    for file in sorted(os.listdir(directory))
                    if file.endswith((".log", ".txnindex", ".snapshot"))
                    and os.path.getsize(os.path.join(directory, file))]
        text = "\n".join(dump("dumped-0", "--deep-iteration"))
        for part in ("endTxnMarker: ABORT", "endTxnMarker: COMMIT",
                     f"producerId: {producer.id} firstOffset: 0 "
                     "lastOffset: 1 lastStableOffset: 2",
                     f"producerId: {producer.id} producerEpoch: 2"):
            true(part in text, f"{part!r} in {text}")
        states = []
        for name in os.listdir(node.data):
            if name.startswith("__transaction_state"):
                for text in dump(name, "--transaction-log-decoder"):
                    states += [int(line.split('"transactionStatus":')[1][0])
                               for line in text.splitlines()
                               if "transactionStatus" in line]
        equal(states, [0, 1, 3, 5, 1, 2, 4])


def work(node, name, partitions, seed, told, over):
    """Commits and aborts at random until OVER; TOLD gets, for each of its
    transactions, [values, what was asked, what was answered]."""
    choose = random.Random(seed)
    number = 0
    while not over.is_set():
        try:
            with node.connect(timeout=20) as peer:
                producer = Producer(peer, name).init()
                while not over.is_set():
                    number += 1
                    words = [b"%s-%d-%d" % (name.encode(), number, i)
                             for i in range(choose.randint(1, 6))]
                    mine = [words, None, None]
                    told.append(mine)
                    for word in words:
                        producer.produce("checked", [word],
                                         choose.randrange(partitions))
                    mine[1] = choose.random() < 0.6
                    producer.end(mine[1])
                    mine[2] = True
        except (OSError, Closed, AssertionError):
            continue


@test
def no_kill_splits_a_transaction(_):
    """Exactly once: what EndTxn confirmed is there, once; what was aborted is
    not; what was cut off is there as a whole or not at all."""
    rounds, partitions, names = 6, 3, 4
    with broker(transaction_abort_timed_out_transaction_cleanup_interval_ms=500
                ) as node:
        coordinator(node)
        node.create("checked", partitions)
        told, over, stage = [[] for _ in range(names)], threading.Event(), 0
        threads = [threading.Thread(target=work, args=(
            node, f"w{i}", partitions, i, told[i], over))
            for i in range(names)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(rounds):
                stage = sum(map(len, told)) + 40
                wait_for(lambda: sum(map(len, told)) >= stage, "some work")
                node.kill()
                node.start()
        finally:
            over.set()
            for thread in threads:
                thread.join()
        with node.connect() as peer:
            for i in range(names):  # fences and aborts what is left
                Producer(peer, f"w{i}").init()
            def is_over(partition):
                part = fetch(peer, "checked", 0, partition=partition)
                return part["last_stable_offset"] == part["high_watermark"]
            for partition in range(partitions):
                wait_for(lambda: is_over(partition), "every marker")
            seen = [word for p in range(partitions)
                    for word in committed(peer, "checked", p)]
    equal(len(seen), len(set(seen)), "how many there are, and how many differ")
    seen = set(seen)
    counts = [0, 0, 0]
    for words, asked, answered in sum(told, []):
        there = [word in seen for word in words]
        if answered and asked:
            counts[0] += 1
            true(all(there), f"{words} were committed: {there}")
        elif asked:
            counts[2] += 1
            true(all(there) or not any(there),
                 f"{words} were cut off: {there}")
        else:
            counts[1] += 1
            true(not any(there), f"{words} were not committed: {there}")
    note("%d committed, %d aborted, %d cut off in EndTxn" % tuple(counts))


main(broker)
