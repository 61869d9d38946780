import static java.util.stream.Collectors.toList;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;

/** Writing and reading. */
final class Records {
    private Records() {}

    static void add(Map<String, Suite.Scenario> all) {
        all.put("idempotent_five_in_flight_keeps_order", Records::idempotent);
        all.put("keys_land_where_tidings_puts_them", Records::keys);
        all.put("records_come_back_as_they_went", Records::whole);
        all.put("every_compression", Records::compression);
        all.put("offsets_by_time_and_seek", Records::times);
    }

    private static void idempotent(Stage stage) throws Exception {
        String topic = stage.filled(4);
        int count = 20_000;
        // Small batches, so that five requests are on their way all the time.
        var producer = stage.producer("enable.idempotence", true,
            "max.in.flight.requests.per.connection", 5, "batch.size", 512, "linger.ms", 0);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            sent.add(producer.send(new ProducerRecord<>(topic, n % 4, null, "" + n)));
        }
        for (int n = 0; n < count; n++) {
            Stage.same(sent.get(n).get().offset(), (long) (n / 4), "offset of " + n);
        }
        for (int partition = 0; partition < 4; partition++) {
            var found = stage.read(count / 4, new TopicPartition(topic, partition));
            for (int i = 0; i < found.size(); i++) {
                Stage.same(found.get(i).value(), "" + (i * 4 + partition), "value at " + i);
                Stage.same(found.get(i).offset(), (long) i, "offset at " + i);
            }
        }
    }

    /** The vectors of `keys_land_where_javas_client_puts_them` in the library's own tests. */
    private static void keys(Stage stage) throws Exception {
        Map<String, Integer> hashes = new LinkedHashMap<>();
        hashes.put("21", -973_932_308);
        hashes.put("foobar", -790_332_482);
        hashes.put("a-little-bit-long-string", -985_981_536);
        hashes.put("a-little-bit-longer-string", -1_486_304_829);
        hashes.put("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971);
        hashes.put("abc", 479_470_107);
        String topic = stage.filled(12);
        var producer = stage.producer();
        for (var entry : hashes.entrySet()) {
            int partition = producer.send(new ProducerRecord<>(topic, entry.getKey(), "v")).get().partition();
            Stage.same(partition, (entry.getValue() & 0x7fffffff) % 12, entry.getKey());
        }
    }

    private static void whole(Stage stage) throws Exception {
        String topic = stage.filled(1);
        var producer = stage.producer();
        // Not so old that retention takes it away.
        long time = System.currentTimeMillis() - 3_600_000;
        var record = new ProducerRecord<>(topic, 0, time, "k", "välue");
        record.headers().add("a", "1".getBytes(StandardCharsets.UTF_8));
        record.headers().add("a", null);
        producer.send(record).get();
        producer.send(new ProducerRecord<>(topic, 0, null, null)).get();
        var found = stage.read(2, new TopicPartition(topic, 0));
        Stage.same(found.get(0).key(), "k", "key");
        Stage.same(found.get(0).value(), "välue", "value");
        Stage.same(found.get(0).timestamp(), time, "timestamp");
        List<Header> headers = new ArrayList<>();
        found.get(0).headers().forEach(headers::add);
        Stage.same(headers.stream().map(Header::key).collect(toList()), List.of("a", "a"), "headers");
        Stage.same(new String(headers.get(0).value(), StandardCharsets.UTF_8), "1", "a header");
        Stage.same(headers.get(1).value(), null, "a header without value");
        Stage.same(found.get(1).key() == null && found.get(1).value() == null, true, "nulls");
    }

    private static void compression(Stage stage) throws Exception {
        String topic = stage.filled(1);
        int each = 500;
        List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
        for (String codec : codecs) {
            var producer = stage.producer("compression.type", codec, "linger.ms", 20);
            for (int n = 0; n < each; n++) {
                producer.send(new ProducerRecord<>(topic, 0, null, codec + " tidings".repeat(20) + n));
            }
            producer.flush();
        }
        var found = stage.read(each * codecs.size(), new TopicPartition(topic, 0));
        for (int i = 0; i < found.size(); i++) {
            String wanted = codecs.get(i / each) + " tidings".repeat(20) + i % each;
            Stage.same(found.get(i).value(), wanted, "value at " + i);
        }
    }

    private static void times(Stage stage) throws Exception {
        String topic = stage.filled(1);
        var place = new TopicPartition(topic, 0);
        var producer = stage.producer("compression.type", "lz4", "linger.ms", 20);
        long base = System.currentTimeMillis() - 100_000;
        for (int n = 0; n < 100; n++) {
            producer.send(new ProducerRecord<>(topic, 0, base + n * 10L, null, "" + n));
        }
        producer.flush();
        KafkaConsumer<String, String> consumer = stage.consumer();
        OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(place, base + 501)).get(place);
        Stage.same(found.offset(), 51L, "offset by time");
        Stage.same(found.timestamp(), base + 510, "its time");
        Stage.same(consumer.offsetsForTimes(Map.of(place, base + 991)).get(place), null, "none");
        Stage.same(consumer.beginningOffsets(List.of(place)).get(place), 0L, "beginning");
        Stage.same(consumer.endOffsets(List.of(place)).get(place), 100L, "end");
        consumer.assign(List.of(place));
        consumer.seek(place, 51);
        Stage.same(consumer.poll(Stage.PATIENCE).iterator().next().value(), "51", "after a seek");
        consumer.seekToEnd(List.of(place));
        Stage.same(consumer.position(place), 100L, "position at the end");
        consumer.seekToBeginning(List.of(place));
        Stage.same(consumer.poll(Stage.PATIENCE).iterator().next().value(), "0", "at the beginning");
    }
}
