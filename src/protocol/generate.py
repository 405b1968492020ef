#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the schemas in messages/*.msg and writes the codec in C.

    generate.py OUTDIR          writes OUTDIR/protocol/*.h and *.c
    generate.py --list OUTDIR   prints the files it would write

schema.py describes the notation. What is generated must compile without a
warning and depends on nothing but the schemas: the same schemas give the same
bytes.
"""
import os
import re
import sys

sys.dont_write_bytecode = True
from schema import (LENGTHS, MESSAGES, SCALARS, SchemaError, load,
                    snake)  # noqa: E402


def unit(message):
    """The C file that MESSAGE goes to: an API's two share one."""
    if message.kind in ('request', 'response'):
        return snake(re.sub('(Request|Response)$', '', message.name))
    return {'header': 'headers', 'data': 'data',
            'metadata': 'metadata_records'}.get(
                message.kind, message.kind.split('-')[0] + '_records')


# ---- C --------------------------------------------------------------------

class Out:
    """Lines of C, indented by four and folded at 80 columns."""

    def __init__(self):
        self.lines = []
        self.depth = 0

    def __call__(self, text=''):
        line = '    ' * self.depth + text if text else ''
        indent = len(line) - len(line.lstrip()) + 4
        while len(line) > 80:
            cut = max(line.rfind(mark, indent, 81) + len(mark) - 1
                      for mark in (', ', '; ', ' = ', ' && ', ' || ', ' + '))
            if cut <= indent:
                cut = line.find('(', indent) + 1
            if cut <= indent:
                break
            self.lines.append(line[:cut].rstrip())
            line = ' ' * indent + line[cut:].lstrip()
        self.lines.append(line)

    def text(self):
        return '\n'.join(self.lines) + '\n'

    def open(self, text=''):
        self(text + ' {' if text else '{')
        self.depth += 1

    def close(self, tail=''):
        self.depth -= 1
        self('}' + tail)

    def function(self, head, body):
        """HEAD, and what BODY is called to write; a version that turns out
        not to matter is marked so."""
        self(head)
        self.open()
        first = len(self.lines)
        body()
        if 'int16_t version' in head:
            code = '\n'.join(self.lines[first:])
            if not re.search(r'(?<!->)\bversion\b', code):
                self('(void)version;')
        self.close()
        self()


def number(text):
    value = int(text, 0)
    if value == -2 ** 31:
        return 'INT32_MIN'
    if value == -2 ** 63:
        return 'INT64_MIN'
    return '%sINT64_C(%d)' % ('-' if value < 0 else '', abs(value)) \
        if abs(value) >= 2 ** 31 else str(value)


def default_value(field):
    """The C expression of FIELD's default, and whether memset gives it."""
    if field.array or field.pointer:
        return 'NULL', True
    if field.type == 'string':
        if field.default_null:
            return 'WIRE_STRING_NULL', False
        return 'wire_string_literal("%s")' % (field.default or ''), False
    if field.type == 'bytes':
        if field.default_null:
            return 'WIRE_BYTES_NULL', False
        return '(wire_bytes_t){ (const uint8_t *)"", 0 }', False
    if field.type == 'records':
        return 'WIRE_RECORDS_NULL', False
    if field.type == 'uuid':
        return '(wire_uuid_t){ { 0 } }', True
    if field.type == 'bool':
        return field.default or 'false', field.default in (None, 'false')
    if field.type == 'float64':
        return field.default or '0.0', field.default is None
    value = number(field.default or '0')
    return value, value == '0'


def emit_default(out, field, zeroed=False):
    """Sets m->FIELD to its default; ZEROED: the struct is all zero yet."""
    name = 'm->' + field.c_name
    if field.struct and not field.array and not field.pointer:
        out('%s_init(&%s);' % (field.struct.c_name, name))
        return
    if field.pointer and not field.default_null and not zeroed:
        out('%s = wire_alloc(in, sizeof(*%s), "%s");'
            % (name, name, field.name))
        out('if (%s != NULL)' % name)
        out('    %s_init(%s);' % (field.struct.c_name, name))
        return
    value, is_zero = default_value(field)
    if not (zeroed and is_zero):
        out('%s = %s;' % (name, value))
    if field.array and (field.default_null or not zeroed):
        out('%s_count = %d;' % (name, -1 if field.default_null else 0))


def differs(field):
    """The C condition that m->FIELD is not its default."""
    name = 'm->' + field.c_name
    if field.array:
        return '%s_count %s 0' % (name, '>=' if field.default_null else '!=')
    if field.pointer and field.default_null:
        return name + ' != NULL'
    if field.pointer:
        return '(%s == NULL || !%s_is_default(%s))' \
            % (name, field.struct.c_name, name)
    if field.struct:
        return '!%s_is_default(&%s)' % (field.struct.c_name, name)
    if field.type in ('string', 'bytes'):
        if field.default and not field.default_null:
            return '!wire_string_equal_text(%s, "%s")' % (name, field.default)
        return '%s.length %s 0' % (name,
                                   '>=' if field.default_null else '!=')
    if field.type == 'records':
        return name + '.length >= 0'
    if field.type == 'uuid':
        return '!wire_uuid_is_zero(&%s)' % name
    value, _ = default_value(field)
    if field.type == 'bool':
        return ('!' if value == 'true' else '') + name
    return '%s != %s' % (name, value)


class Codec:
    """Writes one message's C."""

    def __init__(self, message, header, out):
        self.message, self.header, self.out = message, header, out

    # Facts

    def fields(self, struct):
        """The fields that some version can carry."""
        return [field for field in struct.fields
                if not (field.versions & struct.known).empty]

    def compact(self, struct, field):
        versions = self.message.flexible if field.flexible is None \
            else field.flexible
        return versions.within(struct.known)

    def least(self, field, element=False):
        """The fewest bytes that FIELD, or an ELEMENT of it, takes."""
        compact = self.message.flexible if field.flexible is None \
            else field.flexible
        some_compact = not (compact & self.message.versions).empty
        if field.array and not element:
            return 1 if some_compact else 4
        if field.struct:
            if field.pointer:
                return 1
            return self.least_struct(field.struct)
        if field.type in LENGTHS:
            return 1 if some_compact else LENGTHS[field.type][1]
        return SCALARS[field.type][1]

    def least_struct(self, struct):
        """The fewest bytes STRUCT takes in any version it is met in."""
        sizes = []
        for version in range(struct.known.low, struct.known.high + 1):
            size = 1 if version in self.message.flexible else 0
            size += sum(self.least(field) for field in struct.fields
                        if field.tag is None and version in field.versions)
            sizes.append(size)
        return max(1, min(sizes))

    def needs_is_default(self):
        """Structs that are compared with their default somewhere."""
        needed = set()

        def compared(field):
            return field.struct and not field.array and \
                not (field.pointer and field.default_null)

        def visit(struct):
            if struct in needed:
                return
            needed.add(struct)
            for field in self.fields(struct):
                if compared(field):
                    visit(field.struct)

        for struct in self.message.ordered:
            for field in self.fields(struct):
                if compared(field):
                    absent = field.versions.within(struct.known) != 'true'
                    if field.tag is not None or \
                            (absent and not field.ignorable):
                        visit(field.struct)
        return needed

    # Declarations

    def declare(self):
        out, message = self.header, self.message
        for struct in message.ordered:
            out('typedef struct %s_t %s_t;' % (struct.c_name, struct.c_name))
        out()
        for struct in message.ordered:
            out.open('struct %s_t' % struct.c_name)
            for field in self.fields(struct):
                self.declare_field(field)
            if not self.fields(struct):
                out('char nothing;')
            out.close(';')
            out()
        out('extern const wire_message_t %s_message;' % message.c_name)
        out()
        out('/* Every field its default. */')
        for struct in message.ordered:
            out('void %s_init(%s_t *m);' % (struct.c_name, struct.c_name))
        out()
        for verb, const, stream in (('decode', '', 'wire_reader_t *in'),
                                    ('encode', 'const ',
                                     'wire_writer_t *out')):
            name = stream.split('*')[1]
            out('/* See wire_message_%s. */' % verb)
            out('static inline apr_status_t %s_%s(%s%s_t *m, %s, '
                'int16_t version)' % (message.c_name, verb, const,
                                      message.c_name, stream))
            out.open()
            out('return wire_message_%s(&%s_message, m, %s, version);'
                % (verb, message.c_name, name))
            out.close()
            out()

    def declare_field(self, field):
        kind = field.struct.c_name + '_t' if field.struct else \
            SCALARS.get(field.type, LENGTHS.get(field.type))[0]
        star = '*' if field.array or field.pointer else ''
        text = '%s %s%s;' % (kind, star, field.c_name)
        versions = field.versions & self.message.versions
        if versions.low > self.message.versions.low or \
                versions.high < self.message.versions.high:
            if versions.high == self.message.versions.high:
                text += ' /* %d+ */' % versions.low
            else:
                text += ' /* %d-%d */' % (versions.low, versions.high)
        self.header(text)
        if field.array:
            self.header('int32_t %s_count;' % field.c_name)

    # Functions

    def define(self):
        needed = self.needs_is_default()
        for struct in self.message.ordered:
            self.define_init(struct)
            if struct in needed:
                self.define_is_default(struct)
            self.define_read(struct)
            self.define_write(struct)
        self.define_message()

    def define_init(self, struct):
        def body():
            self.out('memset(m, 0, sizeof(*m));')
            for field in self.fields(struct):
                emit_default(self.out, field, zeroed=True)
        self.out.function('void %s_init(%s_t *m)'
                          % (struct.c_name, struct.c_name), body)

    def define_is_default(self, struct):
        tests = [differs(field) for field in self.fields(struct)]

        def body():
            if not tests:
                self.out('(void)m;')
            self.out('return !(%s);' % (' || '.join(tests) or 'false'))
        self.out.function('static bool %s_is_default(const %s_t *m)'
                          % (struct.c_name, struct.c_name), body)

    def head(self, struct, verb, const, stream):
        """The message's own functions take any pointer, for its table."""
        if struct is self.message:
            return 'static void %s_%s(%svoid *message, %s, int16_t version)' \
                % (verb, struct.c_name, const, stream)
        return 'static void %s_%s(%s%s_t *m, %s, int16_t version)' \
            % (verb, struct.c_name, const, struct.c_name, stream)

    def start(self, struct, const, stream, use):
        out = self.out
        if struct is self.message:
            out('%s%s_t *m = message;' % (const, struct.c_name))
        if self.mixed(struct):
            out('const bool flexible = %s;'
                % self.message.flexible.within(struct.known))
        if not use:
            out('(void)m;')
            if self.message.flexible.within(struct.known) == 'false':
                out('(void)%s;' % stream)

    def mixed(self, struct):
        return self.message.flexible.within(struct.known) not in \
            ('true', 'false')

    def flexible(self, struct, field=None):
        """The argument or condition for compact encoding."""
        if field is not None and field.flexible is not None:
            return field.flexible.within(struct.known)
        return 'flexible' if self.mixed(struct) else \
            self.message.flexible.within(struct.known)

    def guarded(self, condition, body, otherwise=None):
        """BODY if CONDITION, else OTHERWISE; constants leave no trace."""
        if condition == 'true':
            body()
        elif condition == 'false':
            if otherwise:
                otherwise()
        else:
            self.out.open('if (%s)' % condition)
            body()
            if otherwise:
                self.out.depth -= 1
                self.out.open('} else')
                otherwise()
            self.out.close()

    # Reading

    def define_read(self, struct):
        def body():
            fields = self.fields(struct)
            self.start(struct, '', 'in', fields)
            for field in fields:
                if field.tag is not None:
                    emit_default(self.out, field)
                    continue
                self.guarded(field.versions.within(struct.known),
                             lambda: self.read(struct, field),
                             lambda: emit_default(self.out, field))
            self.guarded(self.flexible(struct),
                         lambda: self.read_tags(struct))
        self.out.function(self.head(struct, 'read', '', 'wire_reader_t *in'),
                          body)

    def read(self, struct, field):
        out, name = self.out, 'm->' + field.c_name
        nullable = field.nullable.within(struct.known & field.versions)
        compact = self.flexible(struct, field)
        if field.array:
            out('%s = wire_get_array(in, &%s_count, %s, %s, %d, sizeof(*%s), '
                '"%s");' % (name, name, compact, nullable,
                            self.least(field, element=True), name,
                            field.name))
            out.open('for (int32_t i = 0; i < %s_count && '
                     'wire_reader_ok(in); i++)' % name)
            if field.struct:
                out('read_%s(&%s[i], in, version);'
                    % (field.struct.c_name, name))
            else:
                out('%s[i] = %s;' % (name, self.get(field, compact, 'false')))
            out.close()
        elif field.pointer:
            out('%s = wire_get_struct(in, %s, %s, sizeof(*%s), "%s");'
                % (name, 'true' if field.tag is not None else 'false',
                   nullable, name, field.name))
            out('if (%s != NULL)' % name)
            out('    read_%s(%s, in, version);' % (field.struct.c_name, name))
        elif field.struct:
            out('read_%s(&%s, in, version);' % (field.struct.c_name, name))
        else:
            out('%s = %s;' % (name, self.get(field, compact, nullable)))

    def get(self, field, compact, nullable):
        if field.type in LENGTHS:
            return 'wire_get_%s(in, %s, %s, "%s")' \
                % (field.type, compact, nullable, field.name)
        return 'wire_get_%s(in, "%s")' % (field.type, field.name)

    def tagged(self, struct):
        return sorted((field for field in self.fields(struct)
                       if field.tag is not None), key=lambda f: f.tag)

    def read_tags(self, struct):
        out, fields = self.out, self.tagged(struct)
        if not fields:
            out('wire_skip_tags(in);')
            return
        out('uint32_t tags = wire_get_uvarint(in, "tagged fields");')
        out.open('for (; tags > 0 && wire_reader_ok(in); tags--)')
        out('uint32_t tag;')
        out('const uint8_t *end = wire_get_tag(in, &tag);')
        out('switch (tag) {')
        for field in fields:
            out('case %d:' % field.tag)
            out.depth += 1
            self.guarded(self.tag_versions(struct, field),
                         lambda: self.read(struct, field),
                         lambda: out('wire_skip_tag(in);'))
            out('break;')
            out.depth -= 1
        out('default:')
        out('    wire_skip_tag(in);')
        out('    break;')
        out('}')
        out('wire_get_tag_end(in, end);')
        out.close()

    def tag_versions(self, struct, field):
        """The condition under which a flexible version carries FIELD."""
        return field.versions.within(struct.known & self.message.flexible)

    # Writing

    def define_write(self, struct):
        def body():
            fields = self.fields(struct)
            self.start(struct, 'const ', 'out', fields)
            for field in fields:
                self.write_checked(struct, field)
            self.guarded(self.flexible(struct),
                         lambda: self.write_tags(struct))
        self.out.function(self.head(struct, 'write', 'const ',
                                    'wire_writer_t *out'), body)

    def write_checked(self, struct, field):
        present = field.versions.within(struct.known)

        def refuse():
            self.out('if (%s)' % differs(field))
            self.out('    wire_writer_lacks(out, "%s");' % field.name)

        if field.tag is None:
            self.guarded(present, lambda: self.write(struct, field),
                         None if field.ignorable else refuse)
        elif not field.ignorable and present != 'true':
            self.guarded('!(%s)' % present if '&&' in present else
                         present.replace('>=', '<') if '>=' in present else
                         present.replace('<=', '>'), refuse)

    def write(self, struct, field):
        out, name = self.out, 'm->' + field.c_name
        nullable = field.nullable.within(struct.known & field.versions)
        compact = self.flexible(struct, field)
        if field.array:
            out('wire_put_count(out, %s_count, %s, %s, "%s");'
                % (name, compact, nullable, field.name))
            out('for (int32_t i = 0; i < %s_count; i++)' % name)
            if field.struct:
                out('    write_%s(&%s[i], out, version);'
                    % (field.struct.c_name, name))
            else:
                out('    ' + self.put(field, name + '[i]', compact, 'false'))
        elif field.pointer:
            out('wire_put_present(out, %s != NULL, %s, %s, "%s");'
                % (name, 'true' if field.tag is not None else 'false',
                   nullable, field.name))
            out('if (%s != NULL)' % name)
            out('    write_%s(%s, out, version);' % (field.struct.c_name,
                                                     name))
        elif field.struct:
            out('write_%s(&%s, out, version);' % (field.struct.c_name, name))
        else:
            out(self.put(field, name, compact, nullable))

    def put(self, field, name, compact, nullable):
        if field.type in LENGTHS:
            return 'wire_put_%s(out, %s%s, %s, %s, "%s");' \
                % (field.type, '&' if field.type == 'records' else '', name,
                   compact, nullable, field.name)
        return 'wire_put_%s(out, %s);' % (field.type, name)

    def write_tags(self, struct):
        out, fields = self.out, self.tagged(struct)
        if not fields:
            out('wire_put_uvarint(out, 0);')
            return
        for field in fields:
            present = self.tag_versions(struct, field)
            out('const bool has_%s = %s;'
                % (field.c_name, differs(field) if present == 'true' else
                   present + ' && ' + differs(field)))
        out('wire_put_uvarint(out, %s);' % ' + '.join(
            '(uint32_t)has_' + field.c_name for field in fields))
        for field in fields:
            out.open('if (has_%s)' % field.c_name)
            out('const apr_size_t mark = wire_put_tag(out, %d);' % field.tag)
            self.write(struct, field)
            out('wire_put_tag_end(out, mark);')
            out.close()

    # The message's row

    def define_message(self):
        message, out = self.message, self.out
        name = message.c_name
        out.function('static void init_%s(void *message)' % name,
                     lambda: out('%s_init(message);' % name))
        throttle = '-1'
        if any(field.name == 'ThrottleTimeMs' for field in message.fields):
            throttle = 'offsetof(%s_t, throttle_time_ms)' % name
        out.open('const wire_message_t %s_message =' % name)
        flexible = message.flexible
        for key, value in (
                ('name', '"%s"' % message.name), ('key', message.key),
                ('min_version', message.versions.low),
                ('max_version', message.versions.high),
                ('flexible', 'INT16_MAX' if flexible.empty else flexible.low),
                ('unstable', 'true' if message.unstable else 'false'),
                ('size', 'sizeof(%s_t)' % name), ('throttle', throttle),
                ('init', 'init_' + name),
                ('decode', 'read_' + name), ('encode', 'write_' + name)):
            out('.%s = %s,' % (key, value))
        out.close(';')
        out()


# ---- Files ----------------------------------------------------------------

BANNER = '/* Made by src/protocol/generate.py from %s: do not edit. */'


def header_file(message, codec_out):
    out = Out()
    out(BANNER % (message.name + '.msg'))
    if message.comment:
        out('/* %s */' % message.comment)
    guard = 'TAKHIN_GEN_%s_H' % message.c_name.upper()
    out('#ifndef ' + guard)
    out('#define ' + guard)
    out()
    out('#include "protocol/wire.h"')
    out()
    codec = Codec(message, out, codec_out)
    codec.declare()
    out('#endif')
    codec.define()
    return out.text()


def all_header(messages):
    out = Out()
    out(BANNER % 'the schemas')
    out('/* Every message. Prefer to include the one that is meant. */')
    out('#ifndef TAKHIN_GEN_MESSAGES_H')
    out('#define TAKHIN_GEN_MESSAGES_H')
    out()
    for message in messages:
        out('#include "protocol/%s.h"' % message.c_name)
    out()
    out('#endif')
    return out.text()


def table_file(messages):
    """The tables that api.h speaks of."""
    out = Out()
    out(BANNER % 'the schemas')
    out('#include "protocol/api.h"')
    out()
    out('#include "protocol/messages.h"')
    out()
    requests = {m.key: m for m in messages if m.kind == 'request'}
    responses = {m.key: m for m in messages if m.kind == 'response'}
    out('static const protocol_api_t apis[] = {')
    for key, message in sorted(requests.items()):
        listeners = ' | '.join('PROTOCOL_' + who.upper()
                               for who in message.listeners) or '0'
        out('    [%d] = { %d, %d, %d, %s, "%s", &%s_message, &%s_message, %s '
            '},' % (key, key, message.versions.low, message.versions.high,
                    'INT16_MAX' if message.flexible.empty else
                    message.flexible.low,
                    re.sub('Request$', '', message.name), message.c_name,
                    responses[key].c_name, listeners))
    out('};')
    out()
    out('const protocol_api_t *protocol_api(int16_t key)')
    out.open()
    out('if (key < 0 || key >= (int16_t)(sizeof(apis) / sizeof(*apis)))')
    out('    return NULL;')
    out('return apis[key].name != NULL ? &apis[key] : NULL;')
    out.close()
    out()
    out('static const wire_message_t *const all[] = {')
    for message in messages:
        out('    &%s_message,' % message.c_name)
    out('};')
    out()
    out('const wire_message_t *const *protocol_messages(int *count)')
    out.open()
    out('*count = (int)(sizeof(all) / sizeof(*all));')
    out('return all;')
    out.close()
    for function, kind in (
            ('metadata_record', 'metadata'),
            ('group_record_key', 'group-key'),
            ('group_record_value', 'group-value'),
            ('transaction_record_key', 'transaction-key'),
            ('transaction_record_value', 'transaction-value'),
            ('share_record_key', 'share-key'),
            ('share_record_value', 'share-value')):
        out()
        out('const wire_message_t *%s(int16_t key)' % function)
        out.open()
        out('switch (key) {')
        for message in sorted((m for m in messages if m.kind == kind),
                              key=lambda m: m.key):
            out('case %d: return &%s_message;' % (message.key,
                                                  message.c_name))
        out('default: return NULL;')
        out('}')
        out.close()
    return out.text()


RECORDS = ('data', 'metadata', 'group-key', 'group-value', 'transaction-key',
           'transaction-value', 'share-key', 'share-value')


def fields_file(messages):
    """What fields.h speaks of: the fields of what stands in logs, as data."""
    out = Out()
    out(BANNER % 'the schemas')
    out('#include "protocol/fields.h"')
    out()
    out('#include "protocol/messages.h"')
    messages = [m for m in messages if m.kind in RECORDS]
    for message in messages:
        for struct in message.ordered:
            out()
            out('static const wire_field_t %s_fields[] = {' % struct.c_name)
            for field in struct.fields:
                if field.flexible is not None:
                    raise SchemaError('fields.c has no flexible of a field')
                out('    { "%s", WIRE_%s, %s, %d, %d, %d, %d, %d, %s },'
                    % (field.name,
                       'STRUCT' if field.struct else field.type.upper(),
                       'true' if field.array else 'false',
                       field.versions.low, field.versions.high,
                       field.nullable.low, field.nullable.high,
                       -1 if field.tag is None else field.tag,
                       field.struct.c_name + '_fields' if field.struct
                       else 'NULL'))
            out('    { NULL, WIRE_BOOL, false, 0, 0, 0, 0, 0, NULL }')
            out('};')
    out()
    out('const wire_field_t *wire_fields(const wire_message_t *type)')
    out.open()
    out('static const struct {')
    out('    const wire_message_t *type;')
    out('    const wire_field_t *fields;')
    out('} all[] = {')
    for message in messages:
        out('    { &%s_message, %s_fields },' % (message.c_name,
                                                 message.c_name))
    out('};')
    out()
    out('for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++)')
    out('    if (all[i].type == type)')
    out('        return all[i].fields;')
    out('return NULL;')
    out.close()
    return out.text()


def generate(messages):
    """All files: their names below OUTDIR, and their text."""
    files, units = {}, {}
    for message in messages:
        out = units.setdefault(unit(message), Out())
        if not out.lines:
            out(BANNER % 'the schemas')
        out('#include "protocol/%s.h"' % message.c_name)
    for message in messages:
        out = units[unit(message)]
        out()
        files['protocol/%s.h' % message.c_name] = header_file(message, out)
    for name, out in units.items():
        files['protocol/%s.c' % name] = out.text()
    files['protocol/messages.h'] = all_header(messages)
    files['protocol/tables.c'] = table_file(messages)
    files['protocol/fields.c'] = fields_file(messages)
    return files


def outputs(directory=MESSAGES):
    """The names of the files that generate() gives, without generating."""
    messages = load(directory)
    names = {'protocol/messages.h', 'protocol/tables.c', 'protocol/fields.c'}
    for message in messages:
        names.add('protocol/%s.h' % message.c_name)
        names.add('protocol/%s.c' % unit(message))
    return sorted(names)


def write(files, directory):
    os.makedirs(os.path.join(directory, 'protocol'), exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(directory, name), 'w',
                  encoding='utf-8') as file:
            file.write(text)


def main(arguments):
    if len(arguments) == 2 and arguments[0] == '--list':
        for name in outputs():
            print(os.path.join(arguments[1], name))
    elif len(arguments) == 1 and not arguments[0].startswith('-'):
        write(generate(load()), arguments[0])
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except SchemaError as error:
        sys.exit('generate.py: %s' % error)
