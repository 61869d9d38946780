import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/** Consumer groups of the classic protocol, with members that come and go. */
final class Groups {
    private static final int PARTITIONS = 12;

    private Groups() {}

    static void add(Map<String, Suite.Scenario> all) {
        all.put("cooperative_members_join_and_leave_while_records_flow",
            stage -> flow(stage, CooperativeStickyAssignor.class, true));
        all.put("eager_members_join_and_leave_while_records_flow",
            stage -> flow(stage, RangeAssignor.class, false));
        all.put("static_member_comes_back_to_its_own", Groups::comesBack);
        all.put("second_of_one_instance_fences_the_first", Groups::fences);
        all.put("commits_with_metadata", Groups::commits);
    }

    /** What the members of one group have seen between them. */
    private static final class Ledger {
        final Map<TopicPartition, String> owners = new ConcurrentHashMap<>();
        final Map<TopicPartition, Set<Long>> handled = new ConcurrentHashMap<>();
        final AtomicInteger twice = new AtomicInteger();
        final List<String> wrong = Collections.synchronizedList(new ArrayList<>());

        long distinct() {
            return handled.values().stream().mapToLong(offsets -> {
                synchronized (offsets) {
                    return offsets.size();
                }
            }).sum();
        }
    }

    /** A member on a thread of its own: handles, and commits before it gives a partition away. */
    private static final class Member implements ConsumerRebalanceListener, Runnable, AutoCloseable {
        private final String name;
        private final KafkaConsumer<String, String> consumer;
        private final Ledger ledger;
        private final AtomicBoolean stop = new AtomicBoolean();
        private final Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
        final Set<TopicPartition> owned = ConcurrentHashMap.newKeySet();
        final AtomicInteger assignments = new AtomicInteger();
        /** The fewest that it kept through a rebalance, once it had some. */
        final AtomicInteger fewest = new AtomicInteger(Integer.MAX_VALUE);
        volatile Exception ended;
        private final Thread thread;

        Member(String name, KafkaConsumer<String, String> consumer, String topic, Ledger ledger) {
            this.name = name;
            this.consumer = consumer;
            this.ledger = ledger;
            consumer.subscribe(List.of(topic), this);
            thread = new Thread(this, name);
            thread.start();
        }

        @Override
        public void run() {
            try (consumer) {
                while (!stop.get()) {
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(20))) {
                        handle(record);
                    }
                }
                // Closing calls onPartitionsRevoked, which commits.
            } catch (Exception error) {
                ended = error;
            }
        }

        private void handle(ConsumerRecord<String, String> record) {
            var place = new TopicPartition(record.topic(), record.partition());
            if (!name.equals(ledger.owners.get(place))) {
                ledger.wrong.add(name + " handles a record of " + place + " of another");
            }
            Set<Long> offsets = ledger.handled.computeIfAbsent(place,
                any -> Collections.synchronizedSet(new HashSet<>()));
            if (!offsets.add(record.offset())) {
                ledger.twice.incrementAndGet();
            }
            done.put(place, new OffsetAndMetadata(record.offset() + 1));
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> places) {
            for (TopicPartition place : places) {
                String other = ledger.owners.put(place, name);
                if (other != null) {
                    ledger.wrong.add(place + " is owned by " + other + " and by " + name);
                }
            }
            owned.addAll(places);
            assignments.incrementAndGet();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> places) {
            Map<TopicPartition, OffsetAndMetadata> last = new HashMap<>(done);
            last.keySet().retainAll(places);
            consumer.commitSync(last);
            onPartitionsLost(places);
            if (!stop.get()) {
                fewest.accumulateAndGet(owned.size(), Math::min);
            }
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> places) {
            places.forEach(done::remove);
            owned.removeAll(places);
            places.forEach(place -> ledger.owners.remove(place, name));
        }

        @Override
        public void close() throws InterruptedException {
            stop.set(true);
            thread.join(Stage.PATIENCE.toMillis());
            Stage.truth(!thread.isAlive(), name + " does not end");
        }
    }

    private static Member member(Stage stage, String name, Class<?> assignor, Ledger ledger, Object... more) {
        List<Object> settings = new ArrayList<>(List.of(
            "partition.assignment.strategy", assignor.getName(), "client.id", name,
            "session.timeout.ms", 6_000, "heartbeat.interval.ms", 200, "max.poll.records", 100));
        settings.addAll(List.of(more));
        var consumer = stage.consumer(settings.toArray());
        return stage.keep(new Member(name, consumer, stage.topic(), ledger));
    }

    private static void flow(Stage stage, Class<?> assignor, boolean cooperative) throws Exception {
        String topic = stage.filled(PARTITIONS);
        var ledger = new Ledger();
        var flowing = new AtomicBoolean(true);
        var sent = new AtomicLong();
        var producer = stage.producer("linger.ms", 5);
        var writer = new Thread(() -> {
            while (flowing.get()) {
                for (int n = 0; n < 40; n++) {
                    long number = sent.getAndIncrement();
                    producer.send(new ProducerRecord<>(topic, "k" + number % 97, "" + number));
                }
                try {
                    Thread.sleep(10);
                } catch (InterruptedException stopped) {
                    return;
                }
            }
            producer.flush();
        });
        writer.start();
        try {
            Member first = member(stage, "first", assignor, ledger);
            Stage.until("the first has all", () -> first.owned.size() == PARTITIONS);
            Member second = member(stage, "second", assignor, ledger);
            Member third = member(stage, "third", assignor, ledger);
            Stage.until("three share", () -> share(4, first, second, third));
            int kept = first.fewest.get();
            Stage.truth(cooperative ? kept >= 4 : kept == 0, "the first kept " + kept);
            second.close();
            Stage.until("two share", () -> share(6, first, third));
            Member fourth = member(stage, "fourth", assignor, ledger);
            first.close();
            Stage.until("two others share", () -> share(6, third, fourth));
            flowing.set(false);
            writer.join(Stage.PATIENCE.toMillis());
            Stage.truth(!writer.isAlive(), "the producer does not end");
            Stage.until("all are handled", () -> ledger.distinct() == sent.get());
            third.close();
            fourth.close();
        } finally {
            flowing.set(false);
            writer.interrupt();
        }
        Stage.same(ledger.wrong, List.of(), "owners");
        Stage.same(ledger.twice.get(), 0, "handled twice although all left in order");
        Stage.truth(sent.get() > 1_000, "records flowed: " + sent);
        long committed = 0;
        var offsets = stage.admin().listConsumerGroupOffsets(stage.group());
        for (OffsetAndMetadata offset : offsets.partitionsToOffsetAndMetadata().get().values()) {
            committed += offset.offset();
        }
        Stage.same(committed, sent.get(), "committed in all");
    }

    private static boolean share(int each, Member... members) {
        for (Member member : members) {
            if (member.owned.size() != each) {
                return false;
            }
        }
        return true;
    }

    private static void comesBack(Stage stage) throws Exception {
        stage.filled(PARTITIONS);
        var ledger = new Ledger();
        Class<?> assignor = CooperativeStickyAssignor.class;
        Member first = member(stage, "first", assignor, ledger, "group.instance.id", "a");
        Stage.until("the first has all", () -> first.owned.size() == PARTITIONS);
        Member second = member(stage, "second", assignor, ledger, "group.instance.id", "b");
        Stage.until("two share", () -> share(6, first, second));
        Set<TopicPartition> work = Set.copyOf(second.owned);
        int told = first.assignments.get();
        second.close();
        Member again = member(stage, "again", assignor, ledger, "group.instance.id", "b");
        Stage.until("it is back", () -> again.owned.equals(work));
        Stage.same(first.assignments.get(), told, "rebalances that the other noticed");
        Stage.same(ledger.wrong, List.of(), "owners");
    }

    private static void fences(Stage stage) throws Exception {
        stage.filled(2);
        Class<?> assignor = CooperativeStickyAssignor.class;
        Member first = member(stage, "first", assignor, new Ledger(), "group.instance.id", "a");
        Stage.until("it has all", () -> first.owned.size() == 2);
        Member second = member(stage, "second", assignor, new Ledger(), "group.instance.id", "a");
        Stage.until("the second has all", () -> second.owned.size() == 2);
        Stage.until("the first is told", () -> first.ended instanceof FencedInstanceIdException);
    }

    private static void commits(Stage stage) throws Exception {
        String topic = stage.filled(2);
        var place = new TopicPartition(topic, 1);
        var consumer = stage.consumer();
        consumer.assign(List.of(place));
        String note = "n".repeat(4_096);
        var commit = new OffsetAndMetadata(7, Optional.of(0), note);
        consumer.commitSync(Map.of(place, commit));
        var found = stage.consumer().committed(Set.of(place, new TopicPartition(topic, 0)));
        Stage.same(found.get(place), commit, "the commit");
        Stage.same(found.get(new TopicPartition(topic, 0)), null, "no commit");
        var large = new OffsetAndMetadata(8, Optional.of(0), note + "n");
        String refused = Stage.ending(() -> {
            consumer.commitSync(Map.of(place, large));
            return null;
        });
        Stage.same(refused, "OffsetMetadataTooLarge", "a note of 4,097 bytes");
    }
}
