#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starting, being alone, stopping; and ten thousand idle connections."""
import resource
import signal
import subprocess

from calls import *

IDLE = 10000


def second(node, **changed):
    """Runs one more takhind with NODE's options less CHANGED; returns its
    exit code and what it said."""
    other = broker(directory=node.directory, **node.options)
    other.port = changed.get("port", node.port)
    other.data = changed.get("data", node.data)
    done = subprocess.run(other.command(), capture_output=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    return done.returncode, (done.stdout + done.stderr).decode()


def takhind_only():
    if is_kafka():
        raise Skip("of takhind only")


@test
def a_second_takhind_on_the_same_directory_says_so_and_exits(node):
    takhind_only()
    code, said = second(node, port=0)
    true(code not in (0, -signal.SIGABRT, -signal.SIGSEGV), f"exit {code}")
    true(node.data in said, "it names the directory: " + said)
    with node.connect() as peer:
        equal(peer.call("ApiVersions", 2)["error_code"], 0)


@test
def a_second_takhind_on_the_same_port_says_so_and_exits(node):
    takhind_only()
    code, said = second(node, data=os.path.join(node.directory, "other"))
    true(code not in (0, -signal.SIGABRT, -signal.SIGSEGV), f"exit {code}")
    true(str(node.port) in said, "it names the port: " + said)
    with node.connect() as peer:
        equal(peer.call("ApiVersions", 2)["error_code"], 0)


@test
def a_clean_stop_leaves_kafkas_marker_and_ends_with_0(node):
    node.create("marker")
    node.stop()
    if not is_kafka():
        equal(node.process.returncode, 0)
    true(os.path.exists(os.path.join(node.data, ".kafka_cleanshutdown")),
         "the marker of a clean stop")
    node.start()


@test
def a_stop_ends_waiting_fetches_and_idle_connections(node):
    node.create("stops")
    with node.connect() as waiting, node.connect() as idle:
        waiting.send("Fetch", 12, fetch_body("stops", 0, min_bytes=1,
                                             max_wait_ms=1000000))
        true(waiting.is_quiet(0.1), "it waits")
        node.stop()
        true(waiting.is_closed() and idle.is_closed(), "both are closed")
    node.start()


@test
def a_restart_takes_the_port_at_once_although_clients_were_connected(node):
    peers = [node.connect() for _ in range(20)]
    for peer in peers:
        equal(peer.call("ApiVersions", 2)["error_code"], 0)
    node.restart()
    with node.connect() as peer:
        equal(peer.call("ApiVersions", 2)["error_code"], 0)


@test
def ten_thousand_idle_connections_are_fine(node):
    """And they cost no processor time, and little memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + 500:
        raise Skip(f"only {hard} descriptors are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    node.restart()                      # it inherits the limit
    peers = [node.connect() for _ in range(IDLE)]
    for peer in peers:
        peer.send("ApiVersions", 2)
    for peer in peers:
        true(len(peer.receive_frame()) > 10, "an answer")
        peer.sent.clear()
    before = cpu_seconds(node.pid)
    with node.connect() as peer:
        node.create("crowd")
        for index in range(100):
            equal(produce(peer, "crowd", batch([b"x"]))["base_offset"], index)
    if before is not None:
        note(f"{IDLE} connections: {memory(node.pid)} KiB resident, "
             f"{cpu_seconds(node.pid) - before:.2f} s for 100 requests")
    for peer in peers[::100]:
        equal(peer.call("ApiVersions", 2)["error_code"], 0)
    for peer in peers:
        peer.close()
    with node.connect() as peer:
        equal(peer.call("ApiVersions", 2)["error_code"], 0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def cpu_seconds(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            words = stat.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    except FileNotFoundError:
        return None


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


# Kafka's backlog of 50 makes a crowd of clients wait for a second each time.
main(lambda: broker(socket_listen_backlog_size=4096))
