# SPDX-License-Identifier: Apache-2.0
"""The schemas in messages/*.msg, as Python objects.

A schema describes one message. Its first line says what it is:

    request FetchRequest key 1 versions 4-18 flexible 12+ on broker,controller

KIND is request, response, header, data, metadata (a record of the metadata
log) or LOG-key, LOG-value (of a coordinator's log). "flexible" names the
versions with compact lengths and tagged fields (KIP-482), "on" who listens,
"unstable" marks the highest version as not released yet. Then its fields, a
line each; the fields of a struct stand indented below the first field of its
type, or, when several share it, below "struct NAME VERSIONS" at the margin:

    Topics: []FetchTopic 0+
      Topic: string 0-12 ignorable

After the type come the VERSIONS that carry the field: 3+, 3-5 or 3. Then, each
optional: "nullable VERSIONS"; "default VALUE" (else zero, empty, false);
"tag N" (a tagged field); "flexible VERSIONS" (where it differs from the
message); "ignorable" (a value set may be dropped in a version without the
field, otherwise encoding fails). "#" begins a comment; the first one becomes
that of the C header.
"""
import glob
import os
import re

MESSAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        'messages')
OPEN = 32767                      # the upper end of "3+"

# type: (C type, bytes on the wire; for those with a length: where it is not
# compact)
SCALARS = {
    'bool': ('bool', 1), 'int8': ('int8_t', 1), 'int16': ('int16_t', 2),
    'uint16': ('uint16_t', 2), 'int32': ('int32_t', 4),
    'uint32': ('uint32_t', 4), 'int64': ('int64_t', 8),
    'float64': ('double', 8), 'uuid': ('wire_uuid_t', 16),
}
LENGTHS = {'string': ('wire_string_t', 2), 'bytes': ('wire_bytes_t', 4),
           'records': ('wire_records_t', 4)}
KEYWORDS = set('''auto bool break case char const continue default do double
    else enum extern float for goto if inline int long register restrict return
    short signed sizeof static struct switch typedef union unsigned void
    volatile while true false'''.split())


class SchemaError(Exception):
    pass


def snake(name):
    name = name.replace('KRaft', 'Kraft')
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    return re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name).lower()


class Versions:
    """A range of versions; empty when HIGH is below LOW."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    @classmethod
    def parse(cls, text):
        if text == 'none':
            return cls(0, -1)
        match = re.fullmatch(r'(\d+)(?:(\+)|-(\d+))?', text)
        if not match:
            raise SchemaError('bad versions: ' + text)
        low = int(match[1])
        if match[2]:
            return cls(low, OPEN)
        return cls(low, int(match[3]) if match[3] else low)

    @property
    def empty(self):
        return self.high < self.low

    def __and__(self, other):
        return Versions(max(self.low, other.low), min(self.high, other.high))

    def hull(self, other):
        if self.empty:
            return other
        return Versions(min(self.low, other.low), max(self.high, other.high))

    def __contains__(self, version):
        return self.low <= version <= self.high

    def within(self, known):
        """The C condition for a version that is in KNOWN to be in this range:
        'true', 'false' or an expression."""
        both = self & known
        if both.empty:
            return 'false'
        tests = []
        if both.low > known.low:
            tests.append('version >= %d' % both.low)
        if both.high < known.high:
            tests.append('version <= %d' % both.high)
        return ' && '.join(tests) or 'true'


NONE = Versions(0, -1)


class Field:
    def __init__(self, words):
        self.name = words[0].rstrip(':')
        self.array = words[1].startswith('[]')
        self.type = words[1][2:] if self.array else words[1]
        self.versions = Versions.parse(words[2])
        self.nullable = NONE
        self.default = None           # as written, None: the type's own
        self.tag = None
        self.flexible = None          # None: as the message
        self.ignorable = False
        rest = iter(words[3:])
        for word in rest:
            if word == 'nullable':
                self.nullable = Versions.parse(next(rest))
            elif word == 'default':
                self.default = next(rest)
            elif word == 'tag':
                self.tag = int(next(rest))
            elif word == 'flexible':
                self.flexible = Versions.parse(next(rest))
            elif word == 'ignorable':
                self.ignorable = True
            else:
                raise SchemaError('unknown word: ' + word)
        self.struct = None            # Struct, when the type is one

    @property
    def c_name(self):
        name = snake(self.name)
        return name + '_' if name in KEYWORDS else name

    @property
    def default_null(self):
        return self.default == 'null'

    @property
    def pointer(self):
        """A nullable struct is a pointer. One whose default is not null is
        allocated when it is decoded, but NULL in a struct made by init."""
        return self.struct and not self.array and not self.nullable.empty


class Struct:
    def __init__(self, name, versions):
        self.name = name
        self.versions = versions
        self.fields = []
        self.known = NONE             # the versions it can be met in
        self.c_name = None


class Message(Struct):
    """The first line's facts, and the root of the structs."""

    def __init__(self, words, comment):
        super().__init__(words[1], None)
        self.kind = words[0]
        self.comment = comment
        self.key = -1
        self.flexible = NONE
        self.listeners = []
        self.unstable = False
        rest = iter(words[2:])
        for word in rest:
            if word == 'key':
                self.key = int(next(rest))
            elif word == 'versions':
                self.versions = Versions.parse(next(rest))
            elif word == 'flexible':
                self.flexible = Versions.parse(next(rest))
            elif word == 'on':
                self.listeners = next(rest).split(',')
            elif word == 'unstable':
                self.unstable = True
            else:
                raise SchemaError('unknown word: ' + word)
        self.structs = {}             # by name, in the order of the schema

    def resolve(self):
        """Ties fields to their structs, and finds the order to define them."""
        self.ordered = []
        self._resolve(self, self.versions)
        self.ordered.append(self)
        self.c_name = snake(self.name)
        for struct in self.structs.values():
            struct.c_name = self.c_name + '_' + snake(struct.name)
        unused = set(self.structs.values()) - set(self.ordered)
        for struct in unused:
            raise SchemaError('unused struct: ' + struct.name)

    def _resolve(self, struct, known):
        struct.known = struct.known.hull(known)
        for field in struct.fields:
            if field.type in SCALARS or field.type in LENGTHS:
                continue
            if field.type not in self.structs:
                raise SchemaError('unknown type: ' + field.type)
            field.struct = self.structs[field.type]
            inner = known & field.versions
            if not inner.empty:
                self._resolve(field.struct, inner)
            if field.struct not in self.ordered:
                self.ordered.append(field.struct)


def parse(path):
    """The Message that the schema at PATH describes."""
    message, comment = None, ''
    levels = []                       # the struct that each indent adds to
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            text = line.partition('#')
            if text[1] and not comment:
                comment = text[2].strip()
            words = text[0].split()
            if not words:
                continue
            depth, odd = divmod(len(line) - len(line.lstrip(' ')), 2)
            try:
                if odd:
                    raise SchemaError('odd indent')
                if message is None:
                    message = Message(words, comment)
                    levels = [message]
                elif depth == 0:
                    if words[0] != 'struct':
                        raise SchemaError('expected struct')
                    levels = [_struct(message, words[1], words[2])]
                else:
                    _field(message, levels, depth, words)
            except (SchemaError, IndexError, StopIteration,
                    ValueError) as error:
                raise SchemaError('%s:%d: %s' % (path, number, error))
    try:
        if message is None:
            raise SchemaError('empty')
        message.resolve()
    except SchemaError as error:
        raise SchemaError('%s: %s' % (path, error))
    return message


def _struct(message, name, versions):
    if name in message.structs:
        raise SchemaError('struct twice: ' + name)
    message.structs[name] = Struct(name, Versions.parse(versions))
    return message.structs[name]


def _field(message, levels, depth, words):
    if not words[0].endswith(':'):
        raise SchemaError('expected NAME:')
    if depth > len(levels):
        # Deeper than the field above: that field's struct is described here.
        above = levels[-1].fields[-1]
        levels.append(_struct(message, above.type, str(above.versions.low) +
                              ('+' if above.versions.high == OPEN else
                               '-%d' % above.versions.high)))
        if depth > len(levels):
            raise SchemaError('indented too far')
    del levels[depth:]
    levels[-1].fields.append(Field(words))


def load(directory=MESSAGES):
    """All messages, in the order of their names."""
    messages = [parse(path) for path in
                glob.glob(os.path.join(directory, '*.msg'))]
    return sorted(messages, key=lambda message: message.name)
