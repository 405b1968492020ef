#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every schema of ours against the definition in Apache Kafka's jars: field by
field, and for each valid version what goes over the wire."""
import json
import os
import re
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(TOP, "test"), os.path.join(TOP, "src/protocol")]
import schema  # noqa: E402
import tap     # noqa: E402
from tap import test  # noqa: E402

JARS = os.path.join(os.environ.get("KAFKA_HOME") or os.path.expanduser(
    "~/.cache/takhin-peer/kafka"), "jars")
LOGS = {"kafka-group-coordinator": "group",
        "kafka-transaction-coordinator": "transaction",
        "kafka-share-coordinator": "share"}
ZERO = {"bool": "false", "string": "", "bytes": "", "float64": "0.0"}


def definitions():
    """Kafka's definitions by name, each with the jar it lies in."""
    found = {}
    if not os.path.isdir(JARS):
        raise tap.Skip("Kafka's jars are missing (test/kafka/kafka install)")
    for jar in sorted(os.listdir(JARS)):
        match = re.fullmatch(r"(kafka-[a-z-]+)-4\.3\.1\.jar", jar)
        if not match:
            continue
        with zipfile.ZipFile(os.path.join(JARS, jar)) as archive:
            for name in archive.namelist():
                if not re.fullmatch(
                        r"(common/)?(message|metadata)/\w+\.json", name):
                    continue
                text = archive.read(name).decode()
                text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
                definition = json.loads(text)
                definition["jar"] = match[1]
                found[definition["name"]] = definition
    return found


def wanted(definition):
    """Not those of APIs that Kafka has removed, nor tiered storage's."""
    return definition["validVersions"] != "none" and not (
        definition["jar"] == "kafka-storage" and
        definition["name"].startswith("Remote"))


def versions(text, highest):
    """The set of versions up to HIGHEST that TEXT means."""
    if not text or text == "none":
        return set()
    low, _, high = text.partition("-")
    if low.endswith("+"):
        low, high = low[:-1], highest
    return set(range(int(low), min(int(high or low), highest) + 1))


def ours(range_, highest):
    return {version for version in range(highest + 1) if version in range_}


def default(type_, text):
    """Defaults that mean the same become equal."""
    if text is None or text == "":
        text = ZERO.get(type_, "0")
    if isinstance(text, bool):
        text = str(text).lower()
    text = str(text)
    if text != "null" and re.fullmatch(r"u?int\d+", type_):
        return int(text, 0)
    return text


class Compare:
    def __init__(self, message, definition):
        self.message, self.definition = message, definition
        self.highest = max(versions(definition["validVersions"], 1000))
        self.shared = {struct["name"]: struct for struct in
                       definition.get("commonStructs", [])}
        self.wrong = []

    def check(self, where, found, expected):
        if found != expected:
            self.wrong.append(f"{self.message.name}.{where}: {found} instead "
                              f"of {expected}")

    def run(self):
        message, theirs = self.message, self.definition
        kind = theirs["type"].replace("coordinator",
                                      LOGS.get(theirs["jar"], "?"))
        self.check("kind", message.kind, kind)
        self.check("key", message.key, theirs.get("apiKey", -1))
        self.check("versions", ours(message.versions, 1000),
                   versions(theirs["validVersions"], 1000))
        self.check("flexible", ours(message.flexible, 1000),
                   versions(theirs.get("flexibleVersions"), 1000))
        self.check("on", message.listeners, theirs.get("listeners", []))
        self.check("unstable", message.unstable,
                   bool(theirs.get("latestVersionUnstable")))
        self.fields("", message.fields, theirs["fields"])
        for name, struct in self.shared.items():
            self.check(name + ".versions",
                       ours(message.structs[name].versions, self.highest),
                       versions(struct["versions"], self.highest))
        for version in versions(theirs["validVersions"], 1000):
            self.check(f"version {version} has Kafka's layout",
                       self.layout(message.fields, version) ==
                       self.their_layout(theirs["fields"], version), True)
        return self.wrong

    def fields(self, where, mine, theirs):
        self.check(where + "names", [field.name for field in mine],
                   [field["name"] for field in theirs])
        for field, other in zip(mine, theirs):
            self.field(where + field.name, field, other)

    def field(self, where, field, other):
        def same(key, range_, text):
            self.check(f"{where} {key}", ours(range_, self.highest),
                       versions(text, self.highest))

        type_ = ("[]" if field.array else "") + field.type
        self.check(where + " type", type_, other["type"])
        same("versions", field.versions,
             other.get("versions", other.get("taggedVersions")))
        same("nullable", field.nullable, other.get("nullableVersions"))
        same("tagged", field.versions if field.tag is not None
             else schema.NONE, other.get("taggedVersions"))
        self.check(where + " tag", field.tag, other.get("tag"))
        self.check(where + " ignorable", field.ignorable,
                   bool(other.get("ignorable")))
        self.check(where + " default", default(type_, field.default),
                   default(type_, other.get("default")))
        self.check(where + " flexible", field.flexible is not None,
                   "flexibleVersions" in other)
        if field.flexible is not None:
            same("flexible", field.flexible, other["flexibleVersions"])
        if field.struct:
            self.fields(where + ".", field.struct.fields,
                        self.their_fields(other))

    def their_fields(self, other):
        name = other["type"].replace("[]", "")
        return other.get("fields") or self.shared[name]["fields"]

    def layout(self, fields, version):
        """What VERSION has on the wire, in order, tagged fields last."""
        rows = []
        for field in fields:
            if version in field.versions:
                rows.append((field.tag, field.name, field.array,
                             None if field.struct else field.type,
                             version in field.nullable,
                             self.layout(field.struct.fields, version)
                             if field.struct else None))
        return sorted(rows, key=lambda row: -1 if row[0] is None else row[0])

    def their_layout(self, fields, version):
        rows = []
        for field in fields:
            tagged = version in versions(field.get("taggedVersions"), version)
            if version not in versions(field.get("versions") or
                                       field.get("taggedVersions"), version):
                continue
            name = field["type"].replace("[]", "")
            struct = name[0].isupper()
            rows.append((field["tag"] if tagged else None, field["name"],
                         field["type"].startswith("[]"),
                         None if struct else name,
                         version in versions(field.get("nullableVersions"),
                                             version),
                         self.their_layout(self.their_fields(field), version)
                         if struct else None))
        return sorted(rows, key=lambda row: -1 if row[0] is None else row[0])


@test
def every_definition_of_kafka_has_a_schema():
    theirs = {name for name, definition in definitions().items()
              if wanted(definition)}
    mine = {message.name for message in schema.load()}
    tap.equal(sorted(theirs - mine), [], "without a schema")
    tap.equal(sorted(mine - theirs), [], "schemas of nothing")


@test
def every_schema_says_what_kafkas_definition_says():
    theirs, wrong, count = definitions(), [], 0
    for message in schema.load():
        wrong += Compare(message, theirs[message.name]).run()
        count += 1
    tap.note("\n".join(wrong[:50]) or f"{count} schemas compared")
    tap.equal(len(wrong), 0, "differences")


tap.main()
