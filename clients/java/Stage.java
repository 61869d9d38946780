import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What one scenario gets: clients, names that nobody else uses, and what it may claim. */
final class Stage implements AutoCloseable {
    /** How long anything may take before it counts as hanging; polls end as soon as it is there. */
    static final Duration PATIENCE = Duration.ofSeconds(30);

    final String bootstrap;
    private final String broker;
    private final String prefix;
    private final Map<String, String> differences;
    private final List<AutoCloseable> open = new ArrayList<>();
    private Admin admin;

    Stage(String bootstrap, String broker, String prefix, Map<String, String> differences) {
        this.bootstrap = bootstrap;
        this.broker = broker;
        this.prefix = prefix;
        this.differences = differences;
    }

    String topic() {
        return prefix;
    }

    String group() {
        return prefix + "-group";
    }

    Admin admin() {
        if (admin == null) {
            admin = keep(Admin.create(Map.of("bootstrap.servers", bootstrap)));
        }
        return admin;
    }

    /**
     * The topic of this scenario, once every client can see it and write to it: Apache Kafka names
     * a partition's leader a moment before it leads, and a producer's first batch is refused then.
     */
    String filled(int partitions) throws Exception {
        admin().createTopics(List.of(new NewTopic(topic(), partitions, (short) 1))).all().get();
        until("the topic is seen", () -> admin().listTopics().names().get().contains(topic()));
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (TopicPartition place : places(topic(), partitions)) {
            ends.put(place, OffsetSpec.latest());
        }
        until("it has its leaders", () -> admin().listOffsets(ends).all().get().size() == partitions);
        return topic();
    }

    KafkaProducer<String, String> producer(Object... settings) {
        Map<String, Object> all = settings(settings);
        all.putIfAbsent("acks", "all");
        return keep(new KafkaProducer<>(all, new StringSerializer(), new StringSerializer()));
    }

    /** The classic protocol is asked for in so many words: it is what both brokers speak. */
    KafkaConsumer<String, String> consumer(Object... settings) {
        Map<String, Object> all = settings(settings);
        all.putIfAbsent("group.id", group());
        all.putIfAbsent("group.protocol", "classic");
        all.putIfAbsent("auto.offset.reset", "earliest");
        all.putIfAbsent("enable.auto.commit", "false");
        return keep(new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer()));
    }

    private Map<String, Object> settings(Object... settings) {
        Map<String, Object> all = new HashMap<>();
        all.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < settings.length; i += 2) {
            all.put((String) settings[i], settings[i + 1]);
        }
        return all;
    }

    <T extends AutoCloseable> T keep(T client) {
        open.add(client);
        return client;
    }

    /** Reads so many records of these partitions from their beginning. */
    List<ConsumerRecord<String, String>> read(int count, TopicPartition... partitions) {
        KafkaConsumer<String, String> reader = consumer();
        reader.assign(List.of(partitions));
        reader.seekToBeginning(reader.assignment());
        List<ConsumerRecord<String, String>> found = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (found.size() < count && System.nanoTime() < deadline) {
            reader.poll(Duration.ofMillis(100)).forEach(found::add);
        }
        same(found.size(), count, "records read");
        return found;
    }

    /** Polls until it is so; what it throws meanwhile counts as not yet. */
    static void until(String what, Callable<Boolean> holds) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        Exception last = null;
        while (System.nanoTime() < deadline) {
            try {
                if (holds.call()) {
                    return;
                }
            } catch (Exception error) {
                last = error;
            }
            Thread.sleep(20);
        }
        throw new AssertionError("not within " + PATIENCE.toSeconds() + " s: " + what, last);
    }

    static void same(Object got, Object want, String what) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    static void truth(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** The class of the error that this ends with, as a client sees it; `accepted` without one. */
    static String ending(Callable<?> act) {
        try {
            act.call();
            return "accepted";
        } catch (java.util.concurrent.ExecutionException error) {
            return error.getCause().getClass().getSimpleName();
        } catch (Exception error) {
            Throwable cause = Optional.ofNullable(error.getCause())
                .filter(inner -> inner.getClass().getName().startsWith("org.apache.kafka"))
                .orElse(error);
            return cause.getClass().getSimpleName();
        }
    }

    /** An answer that is not the same on both; its reason stands in clients/differences.toml. */
    void differs(String id, String got, String embedded, String kafka) {
        same(got, broker.equals("kafka") ? kafka : embedded, id + " on " + broker);
        differences.put(id, got);
    }

    static TopicPartition[] places(String topic, int partitions) {
        TopicPartition[] all = new TopicPartition[partitions];
        for (int i = 0; i < partitions; i++) {
            all[i] = new TopicPartition(topic, i);
        }
        return all;
    }

    @Override
    public void close() throws Exception {
        // Members before their consumers: a consumer is one thread's.
        Collections.reverse(open);
        for (AutoCloseable client : open) {
            if (client instanceof KafkaConsumer<?, ?> consumer) {
                consumer.close(org.apache.kafka.clients.consumer.CloseOptions.timeout(PATIENCE));
            } else {
                client.close();
            }
        }
    }
}
