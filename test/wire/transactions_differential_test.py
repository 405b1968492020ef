#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same transactions to takhind and to Apache Kafka 4.3.1: random walks
over three transactional ids, with right and wrong producers, epochs,
sequences, partitions and versions; every answer, and in the end every state,
must be the same. $TAKHIN_TEST_SEED picks other walks, $TAKHIN_TEST_ROUNDS
their number.

Kafka ends a transaction some time after it answers EndTxn, takhind before: so
a step waits for the one before to end, and who is told to come again does so
and is compared by what it is told then.
"""
import random

from calls import *
from differential_test import pair, plain
import tap

tap._tests.clear()                      # those of differential_test.py

PARTITIONS, STEPS = 3, 50
AGAIN = {14, 15, 16, 19, 51}            # loading, not yet, concurrent
ENDED = ("Empty", "Ongoing", "CompleteCommit", "CompleteAbort")


def errors(answer):
    """Every error code in ANSWER."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            if key.endswith("error_code"):
                yield value
            yield from errors(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from errors(value)


class Walk:
    """One walk on one side."""

    def __init__(self, side, seed):
        self.side = side
        self.chance = random.Random(seed)
        self.names = [f"walk-{seed}-{i}" for i in range(3)]
        self.producers = dict.fromkeys(self.names, (-1, -1))
        self.sequences = {}
        self.topic = f"walked-{seed}"
        self.group = f"walkers-{seed}"

    def ask(self, api, version, **body):
        """Asks until the answer is not to come again; notes it."""
        found = []
        def asked():
            found[:] = [self.side.node_call(api, version, **body)]
            return not AGAIN & set(errors(found[0]))
        wait_for(asked, f"{api} of version {version} is answered")
        shown = {key: value for key, value in body.items()
                 if key != "topic_data"}
        self.side.answers.append((f"{api} v{version} {shown}",
                                  self.side.comparable(found[0])))
        return found[0]

    def choose_producer(self, name):
        """Mostly the right one."""
        number, epoch = self.producers[name]
        wrong = self.chance.random()
        if wrong < 0.06:
            epoch += 1
        elif wrong < 0.12:
            epoch = max(epoch - 1, 0)
        elif wrong < 0.15:
            number += 4000
        return max(number, 0), max(epoch, 0)

    def init(self, name):
        version = self.chance.randint(0, 5)
        fields = {}
        if version >= 3 and self.chance.random() < 0.4:
            fields["producer_id"], fields["producer_epoch"] = \
                self.choose_producer(name)
        answer = self.ask("InitProducerId", version, transactional_id=name,
                          transaction_timeout_ms=600000, **fields)
        if not answer["error_code"]:
            self.take(name, answer)

    def take(self, name, answer):
        self.producers[name] = answer["producer_id"], answer["producer_epoch"]

    def partitions(self):
        found = self.chance.sample(range(PARTITIONS),
                                   self.chance.randint(1, PARTITIONS))
        return found + [9] if self.chance.random() < 0.05 else found

    def add(self, name):
        number, epoch = self.choose_producer(name)
        self.ask("AddPartitionsToTxn", self.chance.randint(0, 3),
                 v3_and_below_transactional_id=name,
                 v3_and_below_producer_id=number,
                 v3_and_below_producer_epoch=epoch,
                 v3_and_below_topics=[{"name": self.topic,
                                       "partitions": self.partitions()}])

    def verify(self, name):
        number, epoch = self.choose_producer(name)
        self.ask("AddPartitionsToTxn", self.chance.randint(4, 5),
                 transactions=[{
                     "transactional_id": name, "producer_id": number,
                     "producer_epoch": epoch,
                     "verify_only": self.chance.random() < 0.7,
                     "topics": [{"name": self.topic,
                                 "partitions": self.partitions()}]}])

    def produce(self, name):
        number, epoch = self.choose_producer(name)
        partition = self.chance.randrange(PARTITIONS)
        place = name, number, epoch, partition
        sequence = self.sequences.get(place, 0)
        if self.chance.random() < 0.1:
            sequence += self.chance.choice((-1, 1, 5))
        version = self.chance.choice((9, 10, 11, 12, 12, 12, 12))
        data = plain([b"x"], producer_id=number, producer_epoch=epoch,
                     sequence=max(sequence, 0), attributes=0x10)
        answer = self.ask("Produce", version, **produce_body(
            self.topic, data, partition=partition, transactional_id=name))
        part = answer["responses"][0]["partition_responses"][0]
        if not part["error_code"] and sequence == self.sequences.get(place,
                                                                     0):
            self.sequences[place] = sequence + 1

    def add_offsets(self, name):
        number, epoch = self.choose_producer(name)
        self.ask("AddOffsetsToTxn", self.chance.randint(0, 4),
                 transactional_id=name, producer_id=number,
                 producer_epoch=epoch, group_id=self.group)

    def commit_offset(self, name):
        number, epoch = self.choose_producer(name)
        self.ask("TxnOffsetCommit", self.chance.randint(0, 5),
                 transactional_id=name, group_id=self.group,
                 producer_id=number, producer_epoch=epoch, topics=[{
                     "name": self.topic, "partitions": [{
                         "partition_index": self.chance.choice((0, 1, 7)),
                         "committed_offset": self.chance.randrange(100)}]}])

    def end(self, name):
        number, epoch = self.choose_producer(name)
        answer = self.ask("EndTxn", self.chance.choice((0, 1, 2, 3, 4, 5, 5,
                                                        5, 5, 5)),
                          transactional_id=name, producer_id=number,
                          producer_epoch=epoch,
                          committed=self.chance.random() < 0.5)
        if not answer["error_code"] and answer.get("producer_id", -1) >= 0:
            self.take(name, answer)

    def described(self):
        return self.side.node_call(
            "DescribeTransactions", 0,
            transactional_ids=self.names)["transaction_states"]

    def settle(self):
        """Nothing is on its way any more."""
        wait_for(lambda: all(state["transaction_state"] in ENDED
                             or state["error_code"]
                             for state in self.described()),
                 "the ends of transactions")

    def compare_state(self):
        self.side.answers.append(("DescribeTransactions", [
            {key: {of["topic"]: sorted(of["partitions"]) for of in value}
             if key == "topics" else value for key, value in state.items()
             if key not in ("transaction_start_time_ms", "producer_id")}
            for state in self.described()]))
        for partition in range(PARTITIONS):
            part = self.side.node_call("Fetch", 12, fetch_body(
                self.topic, 0, partition=partition, isolation_level=1))
            part = part["responses"][0]["partitions"][0]
            stable = part["last_stable_offset"]
            # Kafka also names some beyond what may be read.
            aborted = sorted(a["first_offset"]
                             for a in part["aborted_transactions"] or []
                             if a["first_offset"] < stable)
            self.side.answers.append((f"the end of {partition}", (
                part["high_watermark"], stable, aborted)))
        self.side.answers.append(("OffsetFetch", self.side.comparable(
            self.side.node_call("OffsetFetch", 8, groups=[{
                "group_id": self.group, "topics": [{
                    "name": self.topic, "partition_indexes": [0, 1]}]}]))))

    def run(self):
        for kind, key in ((1, self.names[0]), (0, self.group)):
            wait_for(lambda: self.side.node_call(
                "FindCoordinator", 4, key_type=kind,
                coordinator_keys=[key])["coordinators"][0]["error_code"] == 0,
                "a coordinator")
        steps = ([self.init] * 2 + [self.add] * 3 + [self.verify]
                 + [self.produce] * 8 + [self.add_offsets]
                 + [self.commit_offset] * 2 + [self.end] * 5)
        self.side.node.create(self.topic, PARTITIONS)
        for _ in range(STEPS):
            self.chance.choice(steps)(self.chance.choice(self.names))
            self.settle()
        self.compare_state()


@cases("random transactions, walk {}, are answered as by Kafka",
       range(int(os.environ.get("TAKHIN_TEST_ROUNDS", 8))))
def walks(pair, number):
    seed = f"{os.environ.get('TAKHIN_TEST_SEED', 1)}-{number}"
    def walk(side):
        Walk(side, seed).run()
    pair.run(walk)


main(pair)
