// SPDX-License-Identifier: Apache-2.0
//
// Writes batches.golden: record batches made by Kafka's own classes, each with
// what Kafka's own reader finds in it. Needs Java 17 and Kafka's jars:
//
//     java -cp "$KAFKA_JARS/*" MakeGolden.java batches.golden
//
// The file is a sequence of cases, all integers big-endian:
//   int16 length and name, int32 length and batch bytes,
//   int64 base offset (magic 2: the header's; else of the first record),
//   int64 last offset, int8 magic, int8 codec, int8 flags
//   (1 transactional, 2 control, 4 LogAppendTime, 8 delete horizon),
//   int64 max timestamp, int64 producer id, int16 epoch, int32 base sequence,
//   int32 leader epoch, int32 records, and each record as
//   int64 offset, int64 timestamp, int32 sequence, key and value (int32 length,
//   -1 null, and bytes, of which above 1,000 only the CRC-32C), int32 headers,
//   each a key and a value likewise.

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.SimpleRecord;

public class MakeGolden {
    static final long NOW = 1_700_000_000_000L;
    static final DataOutputStream OUT;
    static final ByteArrayOutputStream BYTES = new ByteArrayOutputStream();
    static { OUT = new DataOutputStream(BYTES); }

    static byte[] b(String s) {
        return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
    }

    static SimpleRecord[] records(boolean headers) {
        List<SimpleRecord> list = new ArrayList<>();
        Header[] none = new Header[0];
        list.add(new SimpleRecord(NOW, b("key"), b("value"), none));
        list.add(new SimpleRecord(NOW + 5, null, b("no key"), none));
        list.add(new SimpleRecord(NOW + 90_000, b("no value"), null, none));
        list.add(new SimpleRecord(NOW - 3, b(""), b(""), none));
        list.add(new SimpleRecord(NOW + 7, b("large"), b("0123456789".repeat(30)), none));
        if (headers)
            list.add(new SimpleRecord(NOW + 8, b("headers"), b("v"), new Header[] {
                new RecordHeader("a", b("1")), new RecordHeader("\u00e9t\u00e9", null),
                new RecordHeader("", b(""))}));
        return list.toArray(new SimpleRecord[0]);
    }

    static void field(ByteBuffer field) throws IOException {
        if (field == null) {
            OUT.writeInt(-1);
            return;
        }
        byte[] bytes = new byte[field.remaining()];
        field.duplicate().get(bytes);
        OUT.writeInt(bytes.length);
        if (bytes.length <= 1000) {
            OUT.write(bytes);
            return;
        }
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        OUT.writeInt((int) crc.getValue());
    }

    static void emit(String name, MemoryRecords all) throws IOException {
        int number = 0;
        for (MutableRecordBatch batch : all.batches()) {
            batch.ensureValid();
            byte[] id = b(number == 0 ? name : name + "-" + number);
            number++;
            OUT.writeShort(id.length);
            OUT.write(id);
            ByteBuffer bytes = ByteBuffer.allocate(batch.sizeInBytes());
            batch.writeTo(bytes);
            bytes.flip();
            OUT.writeInt(bytes.remaining());
            OUT.write(bytes.array());
            OUT.writeLong(batch.baseOffset());
            OUT.writeLong(batch.lastOffset());
            OUT.writeByte(batch.magic());
            OUT.writeByte(batch.compressionType().id);
            OUT.writeByte((batch.isTransactional() ? 1 : 0) | (batch.isControlBatch() ? 2 : 0)
                | (batch.timestampType() == TimestampType.LOG_APPEND_TIME ? 4 : 0)
                | (batch.deleteHorizonMs().isPresent() ? 8 : 0));
            OUT.writeLong(batch.maxTimestamp());
            OUT.writeLong(batch.producerId());
            OUT.writeShort(batch.producerEpoch());
            OUT.writeInt(batch.baseSequence());
            OUT.writeInt(batch.partitionLeaderEpoch());
            List<Record> list = new ArrayList<>();
            batch.forEach(list::add);
            OUT.writeInt(list.size());
            for (Record record : list) {
                OUT.writeLong(record.offset());
                OUT.writeLong(record.timestamp());
                OUT.writeInt(record.sequence());
                field(record.hasKey() ? record.key() : null);
                field(record.hasValue() ? record.value() : null);
                OUT.writeInt(record.headers().length);
                for (Header header : record.headers()) {
                    field(ByteBuffer.wrap(b(header.key())));
                    field(header.value() == null ? null : ByteBuffer.wrap(header.value()));
                }
            }
        }
    }

    static MemoryRecords build(byte magic, CompressionType codec, TimestampType type,
                               long base, long id, short epoch, int sequence,
                               boolean transactional, int leaderEpoch) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 16),
            magic, Compression.of(codec).build(), type, base, NOW + 1, id, epoch, sequence,
            transactional, leaderEpoch);
        for (SimpleRecord record : records(magic == 2))
            builder.append(record);
        return builder.build();
    }

    public static void main(String[] args) throws Exception {
        for (CompressionType codec : CompressionType.values())
            for (byte magic = 0; magic <= 2; magic++) {
                if (codec == CompressionType.ZSTD && magic < 2)
                    continue;
                TimestampType type = magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE
                    : TimestampType.CREATE_TIME;
                emit("magic" + magic + "-" + codec.name,
                    build(magic, codec, type, 42, -1, (short) -1, -1, false, 3));
            }
        emit("append-time", build((byte) 2, CompressionType.LZ4, TimestampType.LOG_APPEND_TIME,
            0, -1, (short) -1, -1, false, 0));
        emit("append-time-magic1", build((byte) 1, CompressionType.GZIP,
            TimestampType.LOG_APPEND_TIME, 7, -1, (short) -1, -1, false, 0));
        emit("idempotent", build((byte) 2, CompressionType.NONE, TimestampType.CREATE_TIME,
            1L << 40, 4711, (short) 12, 100, false, 9));
        emit("sequence-wraps", build((byte) 2, CompressionType.NONE, TimestampType.CREATE_TIME,
            0, 4711, (short) 12, Integer.MAX_VALUE - 2, false, 9));
        emit("transactional", build((byte) 2, CompressionType.ZSTD, TimestampType.CREATE_TIME,
            5, 4711, (short) 12, 0, true, 9));
        emit("commit", MemoryRecords.withEndTransactionMarker(77, NOW, 4, 4711, (short) 12,
            new EndTransactionMarker(ControlRecordType.COMMIT, 31)));
        emit("abort", MemoryRecords.withEndTransactionMarker(78, NOW, 4, 4711, (short) 12,
            new EndTransactionMarker(ControlRecordType.ABORT, 32)));
        for (CompressionType codec : CompressionType.values())
            if (codec != CompressionType.NONE)
                emit("blocks-" + codec.name, MemoryRecords.withRecords(
                    Compression.of(codec).build(),
                    new SimpleRecord(NOW, b("k"), b("0123456789abcdef".repeat(20_000)))));
        Files.write(Paths.get(args[0]), BYTES.toByteArray());
    }
}
