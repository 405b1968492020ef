# SPDX-License-Identifier: Apache-2.0
"""Kafka's wire protocol for tests: a codec driven by schemas, record batches,
and a connection.

Schemas come from the project's src/protocol/messages (`project_schemas`) or
from Kafka's client jar (`jar_schemas`); a message is a dict whose keys are
the schema's names in snake_case. What is missing from a dict takes the
schema's default, what a version does not have is left out. This module must
never be lenient: bytes that do not fit the schema raise Malformed.
"""
import glob
import itertools
import json
import os
import re
import socket
import struct
import time
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
MESSAGES = os.path.join(HERE, "..", "..", "src", "protocol", "messages")

ERRORS = {
    -1: "UNKNOWN_SERVER_ERROR", 0: "NONE", 1: "OFFSET_OUT_OF_RANGE",
    2: "CORRUPT_MESSAGE", 3: "UNKNOWN_TOPIC_OR_PARTITION",
    6: "NOT_LEADER_OR_FOLLOWER", 7: "REQUEST_TIMED_OUT",
    10: "MESSAGE_TOO_LARGE", 17: "INVALID_TOPIC_EXCEPTION",
    18: "RECORD_LIST_TOO_LARGE", 21: "INVALID_REQUIRED_ACKS",
    32: "INVALID_TIMESTAMP", 35: "UNSUPPORTED_VERSION",
    36: "TOPIC_ALREADY_EXISTS", 37: "INVALID_PARTITIONS",
    38: "INVALID_REPLICATION_FACTOR", 39: "INVALID_REPLICA_ASSIGNMENT",
    40: "INVALID_CONFIG", 42: "INVALID_REQUEST",
    43: "UNSUPPORTED_FOR_MESSAGE_FORMAT", 45: "OUT_OF_ORDER_SEQUENCE_NUMBER",
    46: "DUPLICATE_SEQUENCE_NUMBER", 47: "INVALID_PRODUCER_EPOCH",
    59: "UNKNOWN_PRODUCER_ID", 70: "FETCH_SESSION_ID_NOT_FOUND",
    71: "INVALID_FETCH_SESSION_EPOCH", 73: "TOPIC_DELETION_DISABLED",
    74: "FENCED_LEADER_EPOCH", 75: "UNKNOWN_LEADER_EPOCH",
    76: "UNSUPPORTED_COMPRESSION_TYPE", 87: "INVALID_RECORD",
    100: "UNKNOWN_TOPIC_ID", 103: "INCONSISTENT_TOPIC_ID",
    106: "FETCH_SESSION_TOPIC_ID_ERROR",
}
NO_ID = bytes(16)


class Malformed(Exception):
    """Bytes that are not what the schema says."""


# Schemas ------------------------------------------------------------------

class Versions:
    """A range such as "3+", "0-12", "5" or "none"."""

    def __init__(self, text):
        low, dash, high = text.strip().rstrip("+").partition("-")
        if text.strip() == "none":
            self.low, self.high = 1, 0
        else:
            self.low = int(low)
            self.high = (int(high) if dash else
                         32767 if text.strip().endswith("+") else self.low)

    def __contains__(self, version):
        return self.low <= version <= self.high


class Field:
    """One field: its type, where it exists, and the fields of a struct."""

    def __init__(self, spec, structs):
        self.name = snake(spec["name"])
        self.array = spec["type"].startswith("[]")
        self.type = spec["type"].removeprefix("[]")
        self.versions = Versions(spec.get("versions", "none"))
        self.nullable = Versions(spec.get("nullableVersions", "none"))
        self.tagged = Versions(spec.get("taggedVersions", "none"))
        self.tag = spec.get("tag")
        # A field of a tagged kind may have flexible versions of its own.
        own = spec.get("flexibleVersions")
        self.flexible = Versions(own) if own else None
        self.given = spec.get("default")
        fields = spec.get("fields") or structs.get(self.type)
        self.fields = fields and [Field(f, structs) for f in fields]

    def default(self, version):
        if self.given == "null":
            return None
        if self.array:
            return []
        if self.fields:
            return {f.name: f.default(version) for f in self.fields
                    if version in f.versions}
        if self.type == "string":
            return self.given or ""
        if self.type == "uuid":
            return NO_ID
        if self.type == "bytes":
            return b""
        if self.type == "records":
            return None
        if self.type == "bool":
            return self.given in (True, "true")
        if self.type == "float64":
            return float(self.given or 0)
        return int(str(self.given or 0), 0)


class Message:
    """The schema of one request or response."""

    def __init__(self, spec):
        structs = {s["name"]: s["fields"]
                   for s in spec.get("commonStructs", [])}
        collect_structs(spec["fields"], structs)
        self.name = spec["name"]
        self.key = spec.get("apiKey")
        self.versions = Versions(spec["validVersions"])
        self.flexible = Versions(spec.get("flexibleVersions", "none"))
        self.fields = [Field(f, structs) for f in spec["fields"]]


def collect_structs(fields, structs):
    """A struct that is spelled out once may be named again further on."""
    for field in fields:
        if field.get("fields"):
            structs[field["type"].removeprefix("[]")] = field["fields"]
            collect_structs(field["fields"], structs)


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def jar_path():
    home = os.environ.get("KAFKA_HOME") or os.path.expanduser(
        "~/.cache/takhin-peer/kafka")
    found = glob.glob(home + "/jars/kafka-clients-*.jar")
    return found[0] if found else None


def jar_schemas():
    """{name: Message} from the definitions in Kafka's client jar."""
    found = {}
    with zipfile.ZipFile(jar_path()) as jar:
        for name in jar.namelist():
            if re.match(r"common/message/.*\.json$", name):
                text = jar.read(name).decode()
                spec = json.loads(re.sub(r"(?m)^\s*//.*$", "", text))
                if (spec["type"] in ("request", "response")
                        and "fields" in spec):
                    found[spec["name"]] = Message(spec)
    return found


def project_schemas():
    """{name: Message} from src/protocol/messages; src/protocol/generate.py
    describes the notation."""
    found = {}
    for path in glob.glob(os.path.join(MESSAGES, "*.msg")):
        with open(path, encoding="utf-8") as file:
            spec = read_msg(file)
        if spec["type"] in ("request", "response"):
            found[spec["name"]] = Message(spec)
    return found


def read_msg(lines):
    """One .msg file as the dict that Kafka's JSON would be."""
    spec = {"fields": [], "commonStructs": []}
    levels = [(-1, spec["fields"])]         # indentation, where fields go
    for line in lines:
        line = line.partition("#")[0].rstrip()
        words = line.split()
        if not words:
            continue
        if "type" not in spec:
            spec["type"], spec["name"] = words[:2]
            for word, key, convert in (
                    ("key", "apiKey", int), ("versions", "validVersions", str),
                    ("flexible", "flexibleVersions", str)):
                if word in words[2:]:
                    spec[key] = convert(words[words.index(word, 2) + 1])
            continue
        if words[0] == "struct" and not line[0].isspace():
            struct_spec = {"name": words[1], "fields": []}
            spec["commonStructs"].append(struct_spec)
            levels = [(-1, struct_spec["fields"])]
            continue
        indent = len(line) - len(line.lstrip())
        while levels[-1][0] >= indent:
            levels.pop()
        field = {"name": words[0].rstrip(":"), "type": words[1],
                 "versions": words[2], "fields": []}
        rest = iter(words[3:])
        for word in rest:
            if word == "nullable":
                field["nullableVersions"] = next(rest)
            elif word == "default":
                field["default"] = next(rest)
            elif word == "flexible":
                field["flexibleVersions"] = next(rest)
            elif word == "tag":
                field["tag"] = int(next(rest))
                field["taggedVersions"] = words[2]
        levels[-1][1].append(field)
        levels.append((indent, field["fields"]))
    return spec


_schemas = None


def schemas():
    """The schemas that connections use."""
    global _schemas
    if _schemas is None:
        _schemas = project_schemas() or jar_schemas()
    return _schemas


def use_schemas(chosen):
    global _schemas
    _schemas = chosen


# Codec --------------------------------------------------------------------

NUMBERS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i",
           "uint32": ">I", "int64": ">q", "float64": ">d"}


def uvarint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(value):
    """Signed and zigzag, as in records."""
    return uvarint((value << 1) ^ (value >> 63) if value < 0 else value << 1)


class Reader:
    """Takes typed values off the front of bytes."""

    def __init__(self, data):
        self.data = memoryview(data)
        self.at = 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if not 0 <= count <= self.left():
            raise Malformed(f"{count} bytes wanted, {self.left()} left")
        self.at += count
        return bytes(self.data[self.at - count:self.at])

    def number(self, kind):
        return struct.unpack(NUMBERS[kind], self.take(
            struct.calcsize(NUMBERS[kind])))[0]

    def uvarint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise Malformed("a varint without an end")

    def varint(self):
        value = self.uvarint()
        return (value >> 1) ^ -(value & 1)


def write_length(out, length, flexible, short):
    """LENGTH is None for null."""
    if flexible:
        out += uvarint(0 if length is None else length + 1)
    else:
        out += struct.pack(">h" if short else ">i",
                           -1 if length is None else length)


def read_length(reader, flexible, short):
    if flexible:
        length = reader.uvarint() - 1
    else:
        length = reader.number("int16" if short else "int32")
    if length < -1:
        raise Malformed(f"length {length}")
    return None if length == -1 else length


def write_value(out, field, value, version, flexible, element=False):
    if field.array and not element:
        write_length(out, None if value is None else len(value), flexible,
                     False)
        for item in value or []:
            write_value(out, field, item, version, flexible, True)
    elif field.fields:
        if version in field.nullable and not element:
            out += b"\xff" if value is None else b"\x01"
        if value is not None:
            write_fields(out, field.fields, value, version, flexible)
    elif field.type == "bool":
        out.append(bool(value))
    elif field.type in NUMBERS:
        out += struct.pack(NUMBERS[field.type], value)
    elif field.type == "uuid":
        out += value
    else:
        data = value.encode() if isinstance(value, str) else value
        write_length(out, None if data is None else len(data), flexible,
                     field.type == "string")
        out += data or b""


def read_value(reader, field, version, flexible, element=False):
    if field.array and not element:
        count = read_length(reader, flexible, False)
        if count is None:
            return None
        if count > reader.left():
            raise Malformed(f"{field.name}: array of {count}")
        return [read_value(reader, field, version, flexible, True)
                for _ in range(count)]
    if field.fields:
        if version in field.nullable and not element:
            if reader.number("int8") < 0:
                return None
        return read_fields(reader, field.fields, version, flexible)
    if field.type == "bool":
        return reader.take(1) != b"\0"
    if field.type in NUMBERS:
        return reader.number(field.type)
    if field.type == "uuid":
        return reader.take(16)
    length = read_length(reader, flexible, field.type == "string")
    if length is None:
        if version not in field.nullable:
            raise Malformed(f"{field.name} is null")
        return None
    data = reader.take(length)
    return data.decode() if field.type == "string" else data


def write_fields(out, fields, value, version, flexible):
    unknown = set(value) - {f.name for f in fields} - {"_tags"}
    if unknown:
        raise KeyError(f"no such field: {sorted(unknown)}")
    tags = dict(value.get("_tags", {}))
    for field in fields:
        if version not in field.versions:
            continue
        chosen = value.get(field.name, field.default(version))
        flexibly = (version in field.flexible if field.flexible
                    else flexible)
        if flexible and version in field.tagged:
            if chosen != field.default(version):
                body = bytearray()
                write_value(body, field, chosen, version, flexibly)
                tags[field.tag] = bytes(body)
        else:
            write_value(out, field, chosen, version, flexibly)
    if flexible:
        out += uvarint(len(tags))
        for tag in sorted(tags):
            out += uvarint(tag) + uvarint(len(tags[tag])) + tags[tag]


def read_fields(reader, fields, version, flexible):
    value = {}
    tagged = {}
    for field in fields:
        if version not in field.versions:
            continue
        if flexible and version in field.tagged:
            tagged[field.tag] = field
            value[field.name] = field.default(version)
        else:
            flexibly = (version in field.flexible if field.flexible
                        else flexible)
            value[field.name] = read_value(reader, field, version, flexibly)
    last = -1
    for _ in range(reader.uvarint() if flexible else 0):
        tag = reader.uvarint()
        if tag <= last:
            raise Malformed(f"tag {tag} behind tag {last}")
        last = tag
        body = reader.take(reader.uvarint())
        if tag in tagged:
            inner = Reader(body)
            value[tagged[tag].name] = read_value(inner, tagged[tag], version,
                                                 flexible)
            if inner.left():
                raise Malformed(f"tag {tag}: {inner.left()} bytes too many")
        else:
            value.setdefault("_tags", {})[tag] = body
    return value


def encode(message, version, value):
    out = bytearray()
    write_fields(out, message.fields, value, version,
                 version in message.flexible)
    return bytes(out)


def decode(message, version, data):
    reader = Reader(data)
    value = read_fields(reader, message.fields, version,
                        version in message.flexible)
    if reader.left():
        raise Malformed(f"{message.name} v{version}: "
                        f"{reader.left()} bytes too many")
    return value


# Record batches -----------------------------------------------------------

def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
LOG_APPEND_TIME = 8
TRANSACTIONAL = 16
CONTROL = 32


def record(value, key=None, headers=(), offset=0, timestamp=0):
    body = bytearray(b"\0" + varint(timestamp) + varint(offset))
    for item in (key, value):
        body += varint(-1 if item is None else len(item)) + (item or b"")
    body += varint(len(headers))
    for name, content in headers:
        body += varint(len(name)) + name.encode()
        body += varint(-1 if content is None else len(content))
        body += content or b""
    return varint(len(body)) + bytes(body)


def compress(codec, data):
    """Snappy, LZ4 and zstd are made of stored blocks: valid, and easy."""
    if codec == GZIP:
        packer = zlib.compressobj(wbits=31)
        return packer.compress(data) + packer.flush()
    if codec == SNAPPY:
        out = uvarint(len(data))
        for at in range(0, len(data), 65536):
            piece = data[at:at + 65536]
            out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
        return out
    if codec == ZSTD:
        out = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))
        pieces = [data[at:at + 65536]
                  for at in range(0, len(data), 65536)] or [b""]
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            out += struct.pack("<I", len(piece) << 3 | last)[:3] + piece
        return out
    if codec == LZ4:
        # 0x60: version 1, independent blocks; 0x40: blocks up to 64 KiB;
        # 0x82 is the header's checksum for exactly these two bytes.
        out = struct.pack("<IBBB", 0x184D2204, 0x60, 0x40, 0x82)
        for at in range(0, len(data), 65536):
            piece = data[at:at + 65536]
            out += struct.pack("<I", len(piece) | 1 << 31) + piece
        return out + bytes(4)
    return data


def batch(values, timestamp=None, *, codec=NONE, attributes=0, magic=2,
          producer_id=-1, producer_epoch=-1, sequence=-1, base_offset=0,
          count=None, last_delta=None, crc=None, leader_epoch=-1,
          max_timestamp=None):
    """A record batch. VALUES are values, or bytes made by `record`."""
    if timestamp is None:
        timestamp = int(time.time() * 1000)
    records = b"".join(
        value if isinstance(value, Record) else record(value, offset=index)
        for index, value in enumerate(values))
    count = len(values) if count is None else count
    last_delta = len(values) - 1 if last_delta is None else last_delta
    body = struct.pack(
        ">hiqqqhii", attributes | codec, last_delta, timestamp,
        timestamp if max_timestamp is None else max_timestamp,
        producer_id, producer_epoch, sequence, count)
    body += compress(codec, records)
    crc = crc32c(body) if crc is None else crc
    return struct.pack(">qiibI", base_offset, len(body) + 9, leader_epoch,
                       magic, crc) + body


class Record(bytes):
    """An encoded record, as `record` makes it."""


def batches(data, whole=True):
    """The headers of the batches in DATA as dicts; `records` is the rest."""
    found = []
    at = 0
    while len(data) - at >= 61:
        (base, length, epoch, magic, crc, attributes, last_delta, first_time,
         max_time, producer_id, producer_epoch, sequence, count
         ) = struct.unpack_from(">qiibIhiqqqhii", data, at)
        if len(data) - at < length + 12:
            break
        if crc32c(data[at + 21:at + length + 12]) != crc:
            raise Malformed(f"CRC of the batch at offset {base}")
        found.append(dict(
            base_offset=base, leader_epoch=epoch, magic=magic,
            attributes=attributes, last_offset=base + last_delta,
            timestamp=first_time, max_timestamp=max_time,
            producer_id=producer_id, producer_epoch=producer_epoch,
            sequence=sequence, count=count, size=length + 12,
            records=bytes(data[at + 61:at + length + 12])))
        at += length + 12
    if whole and at != len(data):
        raise Malformed(f"{len(data) - at} bytes behind the last batch")
    return found


def values(data, whole=True):
    """[(offset, value)] of uncompressed and gzip batches."""
    found = []
    for head in batches(data, whole):
        body = head["records"]
        if head["attributes"] & 7 == GZIP:
            body = zlib.decompress(body, wbits=31)
        reader = Reader(body)
        for _ in range(head["count"]):
            reader.varint()
            reader.take(1)
            reader.varint()
            offset = head["base_offset"] + reader.varint()
            key = reader.varint()
            reader.take(max(key, 0))
            size = reader.varint()
            value = None if size < 0 else reader.take(size)
            for _ in range(reader.varint()):
                reader.take(reader.varint())
                reader.take(max(reader.varint(), 0))
            found.append((offset, value))
    return found


# Connection ---------------------------------------------------------------

class Closed(Exception):
    """The other side ended the connection."""


class Connection:
    """One connection. Requests may be pipelined: `send` each, `receive` each;
    `call` does both."""

    def __init__(self, address, timeout=30, client_id="wire-test"):
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_id = client_id
        self.correlations = itertools.count(1)
        self.sent = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def close(self):
        self.socket.close()

    def raw(self, data):
        self.socket.sendall(data)

    def frame(self, payload):
        self.raw(struct.pack(">i", len(payload)) + payload)

    def header(self, key, version, correlation, flexible):
        name = self.client_id.encode()
        return struct.pack(">hhih", key, version, correlation, len(name)) \
            + name + (b"\0" if flexible else b"")

    def send(self, api, version, body=None, **fields):
        """Sends request API ("Fetch"), remembers what answer to expect."""
        message = schemas()[api + "Request"]
        flexible = version in message.flexible
        correlation = next(self.correlations)
        self.frame(self.header(message.key, version, correlation, flexible)
                   + encode(message, version, {**(body or {}), **fields}))
        self.sent.append((api, version, correlation))

    def exactly(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                piece = self.socket.recv(count - len(data))
            except (ConnectionResetError, BrokenPipeError):
                piece = b""
            if not piece:
                raise Closed(f"closed after {len(data)} of {count} bytes")
            data += piece
        return bytes(data)

    def receive_frame(self):
        return self.exactly(struct.unpack(">i", self.exactly(4))[0])

    def receive(self):
        api, version, correlation = self.sent.pop(0)
        message = schemas()[api + "Response"]
        reader = Reader(self.receive_frame())
        found = reader.number("int32")
        if found != correlation:
            raise Malformed(f"answer {found} instead of {correlation}")
        if version in message.flexible and api != "ApiVersions":
            if reader.uvarint():
                raise Malformed("tagged fields in a response header")
        body = reader.take(reader.left())
        if api == "ApiVersions" and body[:2] == b"\0\x23":
            version = 0                 # the answer to an unknown version
        return decode(message, version, body)

    def call(self, api, version, body=None, **fields):
        self.send(api, version, body, **fields)
        return self.receive()

    def is_closed(self, seconds=30):
        """Waits until the other side closes; what it still sent is lost."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except (ConnectionResetError, BrokenPipeError):
            return True
        except socket.timeout:
            return False

    def is_quiet(self, seconds):
        """True when nothing arrives, and nothing is closed, for SECONDS."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
            return False
        except socket.timeout:
            return True
        finally:
            self.socket.settimeout(30)
