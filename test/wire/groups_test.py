#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the group APIs promise on the wire, at every version: finding the
coordinator, joining, syncing, committing, administering, and the consumer
protocol (KIP-848)."""
from calls import *

MEMBER_ID_REQUIRED, REBALANCING, UNKNOWN_MEMBER = 79, 27, 25
NOT_FOUND, NON_EMPTY, SUBSCRIBED = 69, 68, 86
UNKNOWN_PARTITION, UNKNOWN_TOPIC_ID = 3, 100
# a ConsumerProtocolSubscription, version 0, of topic "t"
SUBSCRIPTION = b"\0\0\0\0\0\1\0\1t\xff\xff\xff\xff"


def subscription(topic):
    name = topic.encode()
    return (b"\0\0\0\0\0\1" + len(name).to_bytes(2, "big") + name
            + b"\xff\xff\xff\xff")


def find(peer, group):
    """Waits until the group has its coordinator, which may be created now."""
    def found():
        answer = peer.call("FindCoordinator", 4, key_type=0,
                           coordinator_keys=[group])
        return answer["coordinators"][0]["error_code"] == 0
    wait_for(found, "the coordinator of " + group)

    def serves():
        answer = peer.call("DescribeGroups", 5, groups=[group])
        return answer["groups"][0]["error_code"] == 0
    wait_for(serves, "the coordinator loads " + group)


def join_body(group, member="", topic="t", **fields):
    return {"group_id": group, "session_timeout_ms": 30000,
            "rebalance_timeout_ms": 30000, "member_id": member,
            "protocol_type": "consumer", "protocols": [
                {"name": "range", "metadata": subscription(topic)}], **fields}


def join(peer, group, version=9, **fields):
    """Joins a group that nobody else is in."""
    answer = peer.call("JoinGroup", version, join_body(group, **fields))
    if answer["error_code"] == MEMBER_ID_REQUIRED:
        fields["member"] = answer["member_id"]
        answer = peer.call("JoinGroup", version, join_body(group, **fields))
    return answer


def sync_body(group, joined, version, assignment=b"mine", **fields):
    body = {"group_id": group, "generation_id": joined["generation_id"],
            "member_id": joined["member_id"], "assignments": [
                {"member_id": joined["member_id"], "assignment": assignment}],
            **fields}
    if version >= 5:
        body.update(protocol_type="consumer", protocol_name="range")
    return body


def member(peer, group, assignment=b"mine", **fields):
    """A stable group of one; what JoinGroup said."""
    find(peer, group)
    joined = join(peer, group, **fields)
    equal(joined["error_code"], 0, "JoinGroup")
    synced = peer.call("SyncGroup", 5,
                       sync_body(group, joined, 5, assignment))
    equal(synced["error_code"], 0, "SyncGroup")
    return joined


def commit(peer, group, topic, offset, version=9, partition=0, **fields):
    key = topic_key(topic)
    answer = peer.call("OffsetCommit", version, group_id=group, topics=[
        {**key, "partitions": [{"partition_index": partition,
                                "committed_offset": offset,
                                "committed_metadata": "m"}]}], **fields)
    return answer["topics"][0]["partitions"][0]["error_code"]


def committed(peer, group, topic, version=9, partition=0, **fields):
    """(error, offset, metadata) of one partition."""
    if version >= 8:
        answer = peer.call("OffsetFetch", version, groups=[
            {"group_id": group, "topics": [
                {**topic_key(topic), "partition_indexes": [partition]}]}],
            **fields)["groups"][0]
    else:
        answer = peer.call("OffsetFetch", version, group_id=group, topics=[
            {"name": topic, "partition_indexes": [partition]}], **fields)
    if answer.get("error_code"):
        return answer["error_code"], None, None
    part = answer["topics"][0]["partitions"][0]
    return part["error_code"], part["committed_offset"], part["metadata"]


made = set()


def topic_t(node):
    """The topic that members subscribe to, made once."""
    if "t" not in made:
        made.add("t")
        node.create("t", partitions=2)


def topic_id(peer, name):
    return describe(peer, name)["topic_id"]


# ---- FindCoordinator --------------------------------------------------------

@cases("FindCoordinator version {} names this broker", range(0, 7))
def coordinators(node, version):
    with node.connect() as peer:
        find(peer, "g")
        if version < 4:
            answer = peer.call("FindCoordinator", version, key="g")
            parts = [answer]
        else:
            answer = peer.call("FindCoordinator", version,
                               coordinator_keys=["g", "h"])
            parts = answer["coordinators"]
            equal([part["key"] for part in parts], ["g", "h"])
        for part in parts:
            equal((part["error_code"], part["port"]), (0, node.port))


@test
def an_unknown_kind_of_coordinator_is_refused(node):
    with node.connect() as peer:
        answer = peer.call("FindCoordinator", 4, key_type=7,
                           coordinator_keys=["g"])
        equal(answer["coordinators"][0]["error_code"], 42)


# ---- the classic protocol ---------------------------------------------------

@cases("JoinGroup version {} makes a leader of who is alone", range(0, 10))
def joining(node, version):
    group = f"join-v{version}"
    with node.connect() as peer:
        find(peer, group)
        joined = join(peer, group, version)
        equal(joined["error_code"], 0)
        equal(joined["generation_id"], 1)
        equal(joined["protocol_name"], "range")
        equal(joined["leader"], joined["member_id"])
        equal([m["metadata"] for m in joined["members"]], [SUBSCRIPTION])


@cases("from version {} an id is asked for", [4, 9])
def an_id_first(node, version):
    with node.connect() as peer:
        find(peer, "ids")
        answer = peer.call("JoinGroup", version, join_body("ids"))
        equal(answer["error_code"], MEMBER_ID_REQUIRED)
        true(answer["member_id"].startswith("wire-test-"), "id of the client")


@cases("SyncGroup version {} hands out the assignment", range(0, 6))
def syncing(node, version):
    group = f"sync-v{version}"
    with node.connect() as peer:
        find(peer, group)
        joined = join(peer, group)
        answer = peer.call("SyncGroup", version,
                           sync_body(group, joined, version))
        equal((answer["error_code"], answer["assignment"]), (0, b"mine"))


@cases("Heartbeat version {} keeps a member, and knows who is none",
       range(0, 5))
def beating(node, version):
    group = f"beat-v{version}"
    with node.connect() as peer:
        joined = member(peer, group)
        body = {"group_id": group, "member_id": joined["member_id"]}
        for generation, wanted in ((1, 0), (2, 22)):
            answer = peer.call("Heartbeat", version, generation_id=generation,
                               **body)
            equal(answer["error_code"], wanted)
        answer = peer.call("Heartbeat", version, group_id=group,
                           generation_id=1, member_id="nobody")
        equal(answer["error_code"], UNKNOWN_MEMBER)


@cases("LeaveGroup version {} empties the group", range(0, 6))
def leaving(node, version):
    group = f"leave-v{version}"
    with node.connect() as peer:
        joined = member(peer, group)
        who = {"member_id": joined["member_id"]}
        body = who if version < 3 else {"members": [who]}
        for wanted in 0, UNKNOWN_MEMBER:
            answer = peer.call("LeaveGroup", version, group_id=group, **body)
            error = (answer["members"][0]["error_code"] if version >= 3
                     else answer["error_code"])
            equal(error, wanted)
        state = peer.call("DescribeGroups", 5, groups=[group])["groups"][0]
        equal(state["group_state"], "Empty")


@test
def two_members_share_a_generation(node):
    with node.connect() as one, node.connect() as two:
        first = member(one, "two")
        late = two.call("JoinGroup", 9, join_body("two"))["member_id"]
        two.send("JoinGroup", 9, join_body("two", late))
        wait_for(lambda: one.call(
            "Heartbeat", 4, group_id="two", generation_id=1,
            member_id=first["member_id"])["error_code"] == REBALANCING,
            "the rebalance")
        again = join(one, "two", member=first["member_id"])
        second = two.receive()
        equal((again["generation_id"], second["generation_id"]), (2, 2))
        equal(len(again["members"]) + len(second["members"]), 2)
        leader, follower, peers = again, second, (one, two)
        if second["leader"] == second["member_id"]:
            leader, follower, peers = second, again, (two, one)
        peers[1].send("SyncGroup", 5, sync_body("two", follower, 5))
        body = sync_body("two", leader, 5)
        body["assignments"] = [
            {"member_id": m["member_id"], "assignment":
             m["member_id"].encode()} for m in leader["members"]]
        equal(peers[0].call("SyncGroup", 5, body)["assignment"],
              leader["member_id"].encode())
        equal(peers[1].receive()["assignment"],
              follower["member_id"].encode())


@test
def a_static_member_comes_back_without_a_rebalance(node):
    with node.connect() as peer:
        joined = member(peer, "static", group_instance_id="i")
        again = peer.call("JoinGroup", 9, join_body(
            "static", group_instance_id="i"))
        equal((again["error_code"], again["generation_id"],
               again["skip_assignment"]), (0, 1, True))
        true(again["member_id"] != joined["member_id"], "a new member id")
        answer = peer.call("Heartbeat", 4, group_id="static", generation_id=1,
                           member_id=joined["member_id"],
                           group_instance_id="i")
        equal(answer["error_code"], 82)


@test
def a_sync_must_name_the_protocol(node):
    with node.connect() as peer:
        joined = member(peer, "named")
        body = sync_body("named", joined, 5)
        body["protocol_name"] = None
        equal(peer.call("SyncGroup", 5, body)["error_code"], 23)
        body["protocol_name"] = "other"
        equal(peer.call("SyncGroup", 5, body)["error_code"], 23)


@test
def a_killed_broker_forgets_no_group(node):
    if is_kafka():
        raise Skip("Kafka's recovery is its own")
    topic_t(node)
    with node.connect() as peer:
        joined = member(peer, "killed")
        equal(commit(peer, "killed", "t", 7, member_id=joined["member_id"],
                     generation_id_or_member_epoch=1), 0)
    node.kill()
    node.start()
    with node.connect() as peer:
        find(peer, "killed")
        equal(committed(peer, "killed", "t"), (0, 7, "m"))
        answer = peer.call("Heartbeat", 4, group_id="killed",
                           generation_id=1, member_id=joined["member_id"])
        equal(answer["error_code"], 0)


# ---- offsets ----------------------------------------------------------------

@cases("OffsetCommit version {} stores an offset", range(2, 10))
def committing(node, version):
    group, topic = f"commit-v{version}", f"commit-t{version}"
    node.create(topic)
    with node.connect() as peer:
        find(peer, group)
        equal(commit(peer, group, topic, 5, version), 0)
        equal(committed(peer, group, topic), (0, 5, "m"))
        equal(commit(peer, group, topic, 5, version, partition=9),
              UNKNOWN_PARTITION)
        equal(commit(peer, group, "nowhere", 5, version), UNKNOWN_PARTITION)


@test
def OffsetCommit_version_10_names_topics_by_id(node):
    node.create("by-id")
    with node.connect() as peer:
        find(peer, "by-id")
        known = topic_id(peer, "by-id")
        equal(commit(peer, "by-id", known, 5, 10), 0)
        equal(committed(peer, "by-id", "by-id"), (0, 5, "m"))
        equal(committed(peer, "by-id", known, 10), (0, 5, "m"))
        equal(commit(peer, "by-id", b"x" * 16, 5, 10), UNKNOWN_TOPIC_ID)
        equal(committed(peer, "by-id", b"x" * 16, 10)[0], UNKNOWN_TOPIC_ID)


@cases("OffsetFetch version {} finds what was stored", range(1, 10))
def fetching(node, version):
    group, topic = f"fetch-v{version}", f"fetch-t{version}"
    node.create(topic)
    with node.connect() as peer:
        find(peer, group)
        equal(committed(peer, group, topic, version), (0, -1, ""))
        commit(peer, group, topic, 8)
        equal(committed(peer, group, topic, version), (0, 8, "m"))
        equal(committed(peer, group, topic, version, partition=3),
              (0, -1, ""))


@cases("OffsetFetch version {} without topics finds all", range(2, 11))
def fetching_all(node, version):
    group, topic = f"all-v{version}", f"all-t{version}"
    node.create(topic)
    with node.connect() as peer:
        find(peer, group)
        commit(peer, group, topic, 8)
        if version < 8:
            answer = peer.call("OffsetFetch", version, group_id=group,
                               topics=None)
        else:
            answer = peer.call("OffsetFetch", version, groups=[
                {"group_id": group, "topics": None}])["groups"][0]
        equal(len(answer["topics"]), 1)
        if version < 10:
            equal(answer["topics"][0]["name"], topic)
        else:
            equal(answer["topics"][0]["topic_id"], topic_id(peer, topic))


@test
def several_groups_are_fetched_at_once(node):
    node.create("several")
    with node.connect() as peer:
        for number in range(3):
            find(peer, f"several-{number}")
            commit(peer, f"several-{number}", "several", number)
        answer = peer.call("OffsetFetch", 9, groups=[
            {"group_id": f"several-{number}", "topics": [
                {"name": "several", "partition_indexes": [0]}]}
            for number in range(3)])
        equal([g["topics"][0]["partitions"][0]["committed_offset"]
               for g in answer["groups"]], [0, 1, 2])


@test
def only_the_generation_commits(node):
    topic_t(node)
    with node.connect() as peer:
        joined = member(peer, "generation")
        mine = {"member_id": joined["member_id"]}
        equal(commit(peer, "generation", "t", 1), UNKNOWN_MEMBER)
        equal(commit(peer, "generation", "t", 1, **mine,
                     generation_id_or_member_epoch=2), 22)
        equal(commit(peer, "generation", "t", 1, **mine,
                     generation_id_or_member_epoch=1), 0)
        for version, wanted in (8, 22), (9, NOT_FOUND):
            equal(commit(peer, "no such group", "t", 1, version, **mine,
                         generation_id_or_member_epoch=1), wanted)


@test
def long_metadata_is_refused(node):
    topic_t(node)
    with node.connect() as peer:
        find(peer, "long")
        answer = peer.call("OffsetCommit", 9, group_id="long", topics=[
            {"name": "t", "partitions": [
                {"partition_index": 0, "committed_offset": 1,
                 "committed_metadata": "x" * 4097}]}])
        equal(answer["topics"][0]["partitions"][0]["error_code"], 12)


@test
def OffsetDelete_spares_what_is_read(node):
    topic_t(node)
    node.create("unread")
    with node.connect() as peer:
        joined = member(peer, "deleting")
        mine = {"member_id": joined["member_id"],
                "generation_id_or_member_epoch": 1}
        for topic in "t", "unread":
            equal(commit(peer, "deleting", topic, 1, **mine), 0)
        answer = peer.call("OffsetDelete", 0, group_id="deleting", topics=[
            {"name": name, "partitions": [{"partition_index": 0}]}
            for name in ("t", "unread", "nowhere")])
        found = {topic["name"]: topic["partitions"][0]["error_code"]
                 for topic in answer["topics"]}
        equal(found, {"t": SUBSCRIBED, "unread": 0,
                      "nowhere": UNKNOWN_PARTITION})
        equal(committed(peer, "deleting", "unread"), (0, -1, ""))
        answer = peer.call("OffsetDelete", 0, group_id="no such group",
                           topics=[{"name": "t", "partitions": [
                               {"partition_index": 0}]}])
        equal(answer["error_code"], NOT_FOUND)


@test
def offsets_go_with_their_topic(node):
    node.create("doomed")
    with node.connect() as peer:
        find(peer, "doomed")
        commit(peer, "doomed", "doomed", 3)
        peer.call("DeleteTopics", 5, topic_names=["doomed"],
                  timeout_ms=30000)
        wait_for(lambda: committed(peer, "doomed", "doomed")[1] == -1,
                 "the offset is gone")


# ---- administration ---------------------------------------------------------

@cases("DescribeGroups version {} shows a member", range(0, 7))
def describing(node, version):
    group = f"describe-v{version}"
    with node.connect() as peer:
        joined = member(peer, group)
        described = peer.call("DescribeGroups", version,
                              groups=[group])["groups"][0]
        equal((described["error_code"], described["group_state"],
               described["protocol_type"], described["protocol_data"]),
              (0, "Stable", "consumer", "range"))
        shown = described["members"][0]
        equal((shown["member_id"], shown["client_id"], shown["client_host"],
               shown["member_metadata"], shown["member_assignment"]),
              (joined["member_id"], "wire-test", "/127.0.0.1", SUBSCRIPTION,
               b"mine"))


@cases("DescribeGroups version {} of no group says Dead", [5, 6])
def describing_nothing(node, version):
    with node.connect() as peer:
        find(peer, "nothing")
        described = peer.call("DescribeGroups", version,
                              groups=["nothing"])["groups"][0]
        equal((described["error_code"], described["group_state"]),
              (0 if version < 6 else NOT_FOUND, "Dead"))


@cases("ListGroups version {} has every group", range(0, 6))
def listing(node, version):
    group = f"list-v{version}"
    with node.connect() as peer:
        member(peer, group)
        groups = {g["group_id"]: g for g in
                  peer.call("ListGroups", version)["groups"]}
        equal(groups[group]["protocol_type"], "consumer")
        if version >= 4:
            equal(groups[group]["group_state"], "Stable")
            for state, there in (["stable"], True), (["Empty"], False):
                found = peer.call("ListGroups", version, states_filter=state)
                equal(group in [g["group_id"] for g in found["groups"]],
                      there)
        if version >= 5:
            equal(groups[group]["group_type"].lower(), "classic")


@cases("DeleteGroups version {} deletes what is empty", range(0, 3))
def deleting(node, version):
    full, empty = f"full-v{version}", f"empty-v{version}"
    node.create(empty)
    with node.connect() as peer:
        member(peer, full)
        find(peer, empty)
        commit(peer, empty, empty, 1)
        answer = peer.call("DeleteGroups", version,
                           groups_names=[full, empty, "no such group"])
        equal({r["group_id"]: r["error_code"] for r in answer["results"]},
              {full: NON_EMPTY, empty: 0, "no such group": NOT_FOUND})
        equal(committed(peer, empty, empty), (0, -1, ""))


# ---- the consumer protocol --------------------------------------------------

def beat(peer, group, who, epoch, version=1, owned=(), **fields):
    body = {"group_id": group, "member_id": who, "member_epoch": epoch}
    if epoch == 0:
        body.update(rebalance_timeout_ms=30000, topic_partitions=[])
    if owned:
        body["topic_partitions"] = [
            {"topic_id": topic, "partitions": partitions}
            for topic, partitions in owned]
    return peer.call("ConsumerGroupHeartbeat", version, {**body, **fields})


def assigned(answer):
    return sorted((t["topic_id"], p) for t in
                  answer["assignment"]["topic_partitions"]
                  for p in t["partitions"])


@cases("ConsumerGroupHeartbeat version {} assigns all to who is alone",
       [0, 1])
def consuming(node, version):
    name = f"consume-v{version}"
    node.create(name, partitions=3)
    with node.connect() as peer:
        find(peer, name)
        answer = beat(peer, name, "one", 0, version,
                      subscribed_topic_names=[name])
        equal((answer["error_code"], answer["member_id"]), (0, "one"))
        known = topic_id(peer, name)
        equal(assigned(answer), [(known, p) for p in range(3)])
        answer = beat(peer, name, "one", answer["member_epoch"], version)
        equal((answer["error_code"], answer["assignment"]), (0, None))
        described = peer.call("ConsumerGroupDescribe", version,
                              group_ids=[name])["groups"][0]
        equal((described["error_code"], described["group_state"],
               described["assignor_name"], len(described["members"])),
              (0, "Stable", "uniform", 1))
        equal(described["members"][0]["assignment"]["topic_partitions"],
              [{"topic_id": known, "topic_name": name,
                "partitions": [0, 1, 2]}])
        left = beat(peer, name, "one", -1, version)
        equal((left["error_code"], left["member_epoch"]), (0, -1))


@test
def a_subscription_by_expression_follows_the_topics(node):
    node.create("re-one")
    with node.connect() as peer:
        find(peer, "re")
        answer = beat(peer, "re", "one", 0, subscribed_topic_regex="re-.*")
        if answer["error_code"] == 128 and not is_kafka():
            raise Skip("built without PCRE2")
        equal(answer["error_code"], 0)

        def has(count):
            nonlocal answer
            answer = beat(peer, "re", "one", answer["member_epoch"],
                          rebalance_timeout_ms=30000, topic_partitions=[],
                          subscribed_topic_regex="re-.*")
            equal(answer["error_code"], 0)
            return len(assigned(answer)) == count
        wait_for(lambda: has(1), "the first topic")
        if not is_kafka():     # Kafka looks again after minutes
            node.create("re-two", partitions=2)
            wait_for(lambda: has(3), "the second topic")
        for bad in "(", "a(?=b)", "(a)\\1":
            equal(beat(peer, "re", "two", 0,
                       subscribed_topic_regex=bad)["error_code"], 128)


@test
def consumer_requests_are_checked(node):
    topic_t(node)
    with node.connect() as peer:
        find(peer, "checked")
        names = {"subscribed_topic_names": ["t"]}
        for fields, wanted in (
                ({"member_epoch": 5}, NOT_FOUND),
                ({"member_id": ""}, 42),
                ({"group_id": ""}, 42),
                ({"instance_id": ""}, 42),
                ({"rack_id": ""}, 42),
                ({"rebalance_timeout_ms": -1}, 42),
                ({"topic_partitions": None}, 42),
                ({"subscribed_topic_names": None}, 42),
                ({"member_epoch": -3}, 42),
                ({"member_epoch": -2}, 42),
                ({"server_assignor": "strange"}, 112)):
            answer = beat(peer, "checked", "one", 0, **{**names, **fields})
            equal(answer["error_code"], wanted, f"error for {fields}")
            true(answer["error_message"], "a message")
        answer = beat(peer, "checked", "one", 0, **names)
        epoch = answer["member_epoch"]
        equal(beat(peer, "checked", "one", epoch + 1)["error_code"], 110)
        equal(beat(peer, "checked", "two", epoch)["error_code"], 25)
        equal(commit(peer, "checked", "t", 1, member_id="one",
                     generation_id_or_member_epoch=epoch), 0)
        equal(commit(peer, "checked", "t", 1, member_id="one",
                     generation_id_or_member_epoch=epoch + 1), 113)
        equal(peer.call("DescribeGroups", 6, groups=["checked"])["groups"][0]
              ["error_code"], NOT_FOUND)
        for group, wanted in ("nobody", NOT_FOUND), ("", 24):
            equal(peer.call("ConsumerGroupDescribe", 1, group_ids=[group])
                  ["groups"][0]["error_code"], wanted)


@test
def an_older_epoch_commits_what_the_member_still_has(node):
    node.create("late", partitions=2)
    names = {"subscribed_topic_names": ["late"]}
    with node.connect() as peer:
        find(peer, "late")
        known = topic_id(peer, "late")
        first = beat(peer, "late", "one", 0, **names)["member_epoch"]
        one, two = first, 0
        owned = [(known, [0, 1])]

        def moved():
            nonlocal one, two, owned
            answer = beat(peer, "late", "two", two, **names)
            equal(answer["error_code"], 0)
            two = answer["member_epoch"]
            answer = beat(peer, "late", "one", one, owned=owned)
            equal(answer["error_code"], 0)
            one = answer["member_epoch"]
            if answer["assignment"]:
                owned = [(t["topic_id"], t["partitions"]) for t in
                         answer["assignment"]["topic_partitions"]]
            return one == two > first and len(owned[0][1]) == 1
        wait_for(moved, "one partition each")
        mine = owned[0][1][0]
        for partition, wanted in (mine, 0), (1 - mine, 113):
            for version, topic in (9, "late"), (10, known):
                equal(commit(peer, "late", topic, 1, version, partition,
                             member_id="one",
                             generation_id_or_member_epoch=first), wanted)


@test
def a_classic_group_is_upgraded_and_downgraded_online(node):
    topic_t(node)
    with node.connect() as old, node.connect() as new:
        # version 0: partitions 0 and 1 of "t", no user data
        joined = member(old, "online", b"\0\0\0\0\0\1\0\1t\0\0\0\2"
                        b"\0\0\0\0\0\0\0\1\xff\xff\xff\xff")
        answer = beat(new, "online", "new", 0, subscribed_topic_names=["t"])
        equal(answer["error_code"], 0)
        me = {"group_id": "online", "member_id": joined["member_id"]}
        equal(old.call("Heartbeat", 4, generation_id=1, **me)["error_code"],
              REBALANCING)
        joined = join(old, "online", member=joined["member_id"])
        equal(joined["error_code"], 0)
        synced = old.call("SyncGroup", 5, sync_body("online", joined, 5))
        equal(synced["error_code"], 0)
        members = new.call("ConsumerGroupDescribe", 1, group_ids=["online"]
                           )["groups"][0]["members"]
        equal(sorted(m["member_type"] for m in members), [0, 1])
        left = beat(new, "online", "new", -1)
        equal(left["error_code"], 0)
        equal(new.call("DescribeGroups", 6, groups=["online"])["groups"][0]
              ["group_state"], "PreparingRebalance")


@test
def a_group_with_an_assignment_of_its_own_is_not_upgraded(node):
    topic_t(node)
    with node.connect() as peer:
        member(peer, "opaque", b"mine")
        answer = beat(peer, "opaque", "new", 0, subscribed_topic_names=["t"])
        equal(answer["error_code"], NOT_FOUND)


main(lambda: broker(group_initial_rebalance_delay_ms=0,
                    offsets_topic_num_partitions=3,
                    offsets_topic_replication_factor=1))
