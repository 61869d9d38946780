package dev.tidings.recipe;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A service in Java that shares events with Tidings: it reads orders and says that mail was sent.
 *
 * <p>Arguments: BOOTSTRAP ORDERS_TOPIC MAILS_TOPIC [COUNT] (it ends after COUNT orders, if given).
 */
public final class Mailer {
    private static final String SOURCE = "/mailer-java";
    private static final String HANDLED = "com.example.order.placed.v1";
    private static final ObjectMapper JSON = new ObjectMapper();

    private Mailer() {}

    public static void main(String[] args) throws Exception {
        long count = args.length > 3 ? Long.parseLong(args[3]) : Long.MAX_VALUE;
        try (var consumer = consumer(args[0]);
                var producer = producer(args[0])) {
            consumer.subscribe(List.of(args[1]));
            long handled = 0;
            while (handled < count) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    Map<String, String> cause = attributes(record);
                    if (HANDLED.equals(cause.get("type"))) {
                        // get() waits for the acknowledgement, so that no commit runs ahead of it.
                        producer.send(mailSent(args[2], record, cause)).get();
                        handled++;
                    }
                }
                consumer.commitSync();
            }
        }
    }

    /** The CloudEvents attributes of a record in binary mode; none if it is no event. */
    static Map<String, String> attributes(ConsumerRecord<byte[], byte[]> record) {
        Map<String, String> found = new HashMap<>();
        for (Header header : record.headers()) {
            if (header.key().startsWith("ce_") && header.value() != null) {
                found.put(header.key().substring(3), new String(header.value(), UTF_8));
            }
        }
        return "1.0".equals(found.get("specversion")) ? found : Map.of();
    }

    static ProducerRecord<byte[], byte[]> mailSent(
            String topic, ConsumerRecord<byte[], byte[]> record, Map<String, String> cause)
            throws Exception {
        JsonNode order = JSON.readTree(record.value());
        var data = JSON.createObjectNode();
        data.set("order_id", order.get("order_id"));
        data.set("to", order.get("customer"));
        // Derived, not random: a second run after a crash publishes the same (source, id) again,
        // and everybody downstream knows that it is the same event.
        String name = cause.get("source") + " " + cause.get("id") + " mail.sent";
        Map<String, String> attributes = new HashMap<>();
        attributes.put("specversion", "1.0");
        attributes.put("id", UUID.nameUUIDFromBytes(name.getBytes(UTF_8)).toString());
        attributes.put("source", SOURCE);
        attributes.put("type", "com.example.mail.sent.v1");
        attributes.put("time", Instant.now().toString());
        attributes.put("subject", cause.get("subject"));
        attributes.put("causationid", cause.get("id"));
        attributes.put("correlationid", cause.getOrDefault("correlationid", cause.get("id")));
        var event =
                new ProducerRecord<byte[], byte[]>(topic, record.key(), JSON.writeValueAsBytes(data));
        attributes.forEach(
                (key, value) -> {
                    if (value != null) {
                        event.headers().add("ce_" + key, value.getBytes(UTF_8));
                    }
                });
        event.headers().add("content-type", "application/json".getBytes(UTF_8));
        return event;
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String bootstrap) {
        var settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", "mailer-java");
        settings.put("auto.offset.reset", "earliest");
        // The offset moves when the mail's event is acknowledged, not by the clock.
        settings.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Idempotent, acks=all and murmur2 are this client's defaults. */
    private static KafkaProducer<byte[], byte[]> producer(String bootstrap) {
        var settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }
}
