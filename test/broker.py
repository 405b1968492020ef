# SPDX-License-Identifier: Apache-2.0
"""The broker that a script test talks to.

    with broker(name="value") as node:      # log_segment_bytes="65536", ...
        node.connect().call("Metadata", 12)

That is build/takhind (the build directory is $TAKHIN_BUILD), on a free port
of 127.0.0.1 and a temporary directory. With TAKHIN_TEST_BROKER=kafka the same
test runs against Apache Kafka: so a test proves itself. A broker ends with
its `with` block, whatever happened in it.
"""
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TEST = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TEST)
sys.path[:0] = [os.path.join(TEST, "wire")]

import kafka_wire                                               # noqa: E402
import tap                                                      # noqa: E402

KAFKA = os.path.join(TEST, "kafka", "kafka")
BUILD = os.environ.get("TAKHIN_BUILD") or os.path.join(ROOT, "build")
PATIENCE = 120                  # seconds, for machines that are very busy


class Failed(Exception):
    """The broker did not do what it was told."""


def free_ports(count=1):
    """The first of COUNT ports in a row that nobody listens on, below those
    that systems give to clients: so that a restart finds them free, too."""
    while True:
        first = random.randrange(10000, 32000 - count)
        try:
            with contextlib.ExitStack() as stack:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(
                        ("127.0.0.1", port))
            return first
        except OSError:
            continue


def wait_for(condition, what, seconds=PATIENCE):
    """Returns CONDITION's first true value; what it waits for is named."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise Failed("waited in vain: " + what)
        time.sleep(0.005)


class Broker:
    """What takhind and Kafka have in common."""

    def __init__(self, options, directory=None):
        self.options = {key.replace("_", "."): str(value)
                        for key, value in options.items()}
        self.own = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="takhin-test-")
        self.log_path = os.path.join(self.directory, "server.log")
        self.data = os.path.join(self.directory, "logs")
        self.host = "127.0.0.1"
        self.port = free_ports(2)

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *exception):
        try:
            if self.running():
                self.kill()
        finally:
            self.remove()

    def remove(self):
        if self.own:
            shutil.rmtree(self.directory, ignore_errors=True)

    def restart(self):
        self.stop()
        self.start()

    def connect(self, **options):
        return kafka_wire.Connection((self.host, self.port), **options)

    def answers(self):
        """True when the broker names itself in Metadata and serves every
        partition that is there: it is ready."""
        try:
            with self.connect(timeout=5) as peer:
                answer = peer.call("Metadata", 9, topics=None)
        except (OSError, kafka_wire.Closed):
            return False
        return bool(answer["brokers"]) and all(
            self.leads(topic["name"], len(topic["partitions"]))
            for topic in answer["topics"])

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def log_tail(self, lines=15):
        tail = self.log().splitlines()[-lines:]
        return "\n".join([f"the last lines of {self.kind}'s log:", *tail])

    def create(self, name, partitions=1, **configs):
        """Creates a topic, returns its id."""
        with self.connect() as peer:
            answer = peer.call("CreateTopics", 7, timeout_ms=30000, topics=[{
                "name": name, "num_partitions": partitions,
                "replication_factor": 1,
                "configs": [{"name": key.replace("_", "."),
                             "value": str(value)}
                            for key, value in configs.items()]}])
        topic = answer["topics"][0]
        if topic["error_code"]:
            raise Failed(f"CreateTopics {name}: error {topic['error_code']} "
                         f"{topic['error_message']}")
        wait_for(lambda: self.leads(name, partitions),
                 f"a leader for every partition of {name}")
        return topic["topic_id"]

    def leads(self, name, partitions):
        """True when the broker serves every partition of topic NAME: Kafka
        names a leader in Metadata before it is one."""
        with self.connect() as peer:
            answer = peer.call("ListOffsets", 7, topics=[{
                "name": name, "partitions": [
                    {"partition_index": index, "timestamp": -1}
                    for index in range(partitions)]}])
        return not any(part["error_code"]
                       for part in answer["topics"][0]["partitions"])

    def tool(self, *arguments, input=None):
        """Runs one of Kafka's tools, returns its standard output."""
        need_kafka()
        done = subprocess.run([KAFKA, *map(str, arguments)], input=input,
                              capture_output=True)
        if done.returncode:
            raise Failed(f"kafka {arguments[0]}: exit {done.returncode}: "
                         + done.stderr.decode(errors="replace")[-2000:])
        return done.stdout


class Takhind(Broker):
    kind = "takhind"
    process = None

    def command(self):
        settings = {"listeners": f"PLAINTEXT://{self.host}:{self.port}",
                    "log.dirs": self.data, **self.options}
        line = [os.path.join(BUILD, "takhind")]
        for key, value in settings.items():
            line += ["--set", f"{key}={value}"]
        return line

    def start(self):
        if not os.path.exists(self.command()[0]):
            raise Failed(self.command()[0] + " is not built")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        wait_for(lambda: self.process.poll() is not None or self.answers(),
                 "takhind answers")
        if self.process.poll() is not None:
            raise Failed(f"takhind ended with {self.process.returncode}\n"
                         + self.log_tail())

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """A clean stop; anything else than exit 0 is a failure."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed("takhind does not stop on SIGTERM") from None
        if code:
            raise Failed(f"takhind stopped with {code}\n" + self.log_tail())

    def kill(self):
        self.process.kill()
        self.process.wait()


class Kafka(Broker):
    kind = "Kafka"

    def start(self):
        need_kafka()
        pairs = [f"{key}={value}" for key, value in self.options.items()]
        environment = {"KAFKA_HEAP": "512m", **os.environ}
        done = subprocess.run(
            [KAFKA, "start", str(self.port), self.directory, *pairs],
            stdin=subprocess.DEVNULL, env=environment)
        if done.returncode:
            raise Failed("Kafka did not start")
        wait_for(self.answers, "Kafka answers")

    @property
    def pid(self):
        with open(os.path.join(self.directory, "pid")) as file:
            return int(file.read())

    def running(self):
        try:
            os.kill(self.pid, 0)
            return True
        except OSError:
            return False

    def stop(self):
        subprocess.check_call([KAFKA, "stop", self.directory])

    def kill(self):
        subprocess.check_call([KAFKA, "kill", self.directory])


def need_kafka():
    tap.need("java")
    if not kafka_wire.jar_path():
        tap.need("mvn")
        subprocess.check_call([KAFKA, "install"])


def is_kafka():
    return os.environ.get("TAKHIN_TEST_BROKER") == "kafka"


def broker(kind=None, directory=None, **options):
    kind = kind or os.environ.get("TAKHIN_TEST_BROKER") or "takhind"
    return {"takhind": Takhind, "kafka": Kafka}[kind](options, directory)
