/* SPDX-License-Identifier: Apache-2.0 */
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/*
 * Transactions with Kafka's own client, for the script tests; run it as a
 * single-file program with the client's jars.
 *
 *   Transactions pipe ADDRESS FROM TO GROUP ID COUNT SEED   moves COUNT records,
 *       exactly once, a quarter of its transactions being aborted on the way;
 *       whatever happens to the broker, it begins anew from what is committed
 *   Transactions read ADDRESS TOPIC        prints what is committed
 *   Transactions fence ADDRESS TOPIC ID    a second producer fences the first
 */
class Transactions {
    static final Duration SHORT = Duration.ofMillis(200);

    static Properties with(String address, String... pairs) {
        var all = new Properties();
        all.put("bootstrap.servers", address);
        for (int i = 0; i < pairs.length; i += 2)
            all.put(pairs[i], pairs[i + 1]);
        return all;
    }

    static KafkaProducer<String, String> producer(String address, String id) {
        var made = new KafkaProducer<>(
            with(address, "transactional.id", id, "max.block.ms", "60000",
                 "transaction.timeout.ms", "60000", "linger.ms", "5"),
            new StringSerializer(), new StringSerializer());
        made.initTransactions();
        return made;
    }

    static KafkaConsumer<String, String> consumer(String address,
                                                  String... more) {
        var all = with(address, "isolation.level", "read_committed",
                       "auto.offset.reset", "earliest",
                       "enable.auto.commit", "false");
        for (int i = 0; i < more.length; i += 2)
            all.put(more[i], more[i + 1]);
        return new KafkaConsumer<>(all, new StringDeserializer(),
                                   new StringDeserializer());
    }

    static List<TopicPartition> partitions(KafkaConsumer<?, ?> of,
                                           String topic) {
        return of.partitionsFor(topic).stream()
            .map(p -> new TopicPartition(topic, p.partition())).toList();
    }

    /* How many of TOPIC's records are committed, by what the group has. */
    static long committed(KafkaConsumer<?, ?> of,
                          List<TopicPartition> partitions) {
        return of.committed(new HashSet<>(partitions)).values().stream()
            .filter(Objects::nonNull).mapToLong(OffsetAndMetadata::offset)
            .sum();
    }

    static void pipe(String address, String from, String to, String group,
                     String id, long count, Random chance) {
        while (true) {
            try (var in = consumer(address, "group.id", group,
                                   "max.poll.records", "7");
                 var out = producer(address, id)) {
                var partitions = partitions(in, from);
                in.assign(partitions);
                while (committed(in, partitions) < count)
                    transfer(in, out, to, chance);
                return;
            } catch (KafkaException again) {
                System.err.println("again: " + again);
            }
        }
    }

    static void transfer(KafkaConsumer<String, String> in,
                         KafkaProducer<String, String> out, String to,
                         Random chance) {
        var records = in.poll(SHORT);
        if (records.isEmpty())
            return;
        out.beginTransaction();
        var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
        for (var record : records) {
            out.send(new ProducerRecord<>(to, record.key(), record.value()));
            offsets.put(new TopicPartition(record.topic(),
                                           record.partition()),
                        new OffsetAndMetadata(record.offset() + 1));
        }
        out.sendOffsetsToTransaction(offsets, in.groupMetadata());
        if (chance.nextInt(4) > 0) {
            out.commitTransaction();
            return;
        }
        out.abortTransaction();
        for (var partition : in.assignment()) {
            var back = in.committed(Set.of(partition)).get(partition);
            in.seek(partition, back == null ? 0 : back.offset());
        }
    }

    static void read(String address, String topic) {
        try (var in = consumer(address)) {
            var partitions = partitions(in, topic);
            var ends = in.endOffsets(partitions);
            in.assign(partitions);
            in.seekToBeginning(partitions);
            while (partitions.stream().anyMatch(
                       p -> in.position(p) < ends.get(p)))
                for (var record : in.poll(SHORT))
                    System.out.println(record.value());
        }
    }

    static void fence(String address, String topic, String id)
            throws Exception {
        var first = producer(address, id);
        first.beginTransaction();
        first.send(new ProducerRecord<>(topic, "zombie")).get();
        try (var second = producer(address, id)) {
            second.beginTransaction();
            second.send(new ProducerRecord<>(topic, "ours")).get();
            try {
                first.send(new ProducerRecord<>(topic, "zombie again"));
                first.commitTransaction();
                throw new IllegalStateException("the zombie committed");
            } catch (ProducerFencedException | InvalidProducerEpochException
                     fenced) {
                System.err.println("as it should be: " + fenced);
            } catch (KafkaException wrapped) {
                if (!(wrapped.getCause() instanceof ProducerFencedException
                      || wrapped.getCause()
                         instanceof InvalidProducerEpochException))
                    throw wrapped;
            }
            second.commitTransaction();
        }
        first.close(Duration.ZERO);
    }

    public static void main(String[] a) throws Exception {
        switch (a[0]) {
        case "pipe" -> pipe(a[1], a[2], a[3], a[4], a[5],
                            Long.parseLong(a[6]),
                            new Random(Long.parseLong(a[7])));
        case "read" -> read(a[1], a[2]);
        case "fence" -> fence(a[1], a[2], a[3]);
        default -> throw new IllegalArgumentException(a[0]);
        }
    }
}
