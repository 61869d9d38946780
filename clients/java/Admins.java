import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** Kafka's admin client. */
final class Admins {
    private Admins() {}

    static void add(Map<String, Suite.Scenario> all) {
        all.put("admin_describes_the_cluster", Admins::cluster);
        all.put("admin_creates_grows_and_deletes_topics", Admins::topics);
        all.put("admin_reads_and_changes_configs", Admins::configs);
        all.put("admin_deletes_records", Admins::records);
        all.put("admin_lists_and_describes_groups", Admins::groups);
        all.put("admin_alters_and_deletes_group_offsets", Admins::offsets);
    }

    private static void cluster(Stage stage) throws Exception {
        var found = stage.admin().describeCluster();
        Stage.same(found.nodes().get().size(), 1, "nodes");
        Stage.same(found.clusterId().get().length(), 22, "length of the cluster's id");
        var controller = found.controller().get();
        Stage.same(controller.host() + ":" + controller.port(), stage.bootstrap, "controller");
    }

    private static void topics(Stage stage) throws Exception {
        Admin admin = stage.admin();
        String topic = stage.topic();
        var made = admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1)
            .configs(Map.of("retention.ms", "1234567"))));
        Stage.same(made.numPartitions(topic).get(), 3, "partitions of the answer");
        Stage.same(made.config(topic).get().get("retention.ms").value(), "1234567", "its config");
        Stage.same(Stage.ending(() -> admin.createTopics(
            List.of(new NewTopic(topic, 3, (short) 1))).all().get()), "TopicExistsException", "again");
        Stage.same(Stage.ending(() -> admin.createTopics(
            List.of(new NewTopic("a/b", 3, (short) 1))).all().get()), "InvalidTopicException", "a/b");
        Stage.until("it is seen", () -> described(admin, topic).partitions().size() == 3);
        TopicDescription description = described(admin, topic);
        Stage.same(description.partitions().get(2).leader().port() > 0, true, "a leader");
        Stage.same(description.partitions().get(2).isr().size(), 1, "replicas in sync");
        Stage.same(admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(
            List.of(description.topicId()))).allTopicIds().get().size(), 1, "found by its id");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        Stage.until("it has grown", () -> described(admin, topic).partitions().size() == 5);
        Stage.same(Stage.ending(() -> admin.createPartitions(
            Map.of(topic, NewPartitions.increaseTo(4))).all().get()),
            "InvalidPartitionsException", "fewer partitions");
        admin.deleteTopics(List.of(topic)).all().get();
        Stage.until("it is gone", () -> !admin.listTopics().names().get().contains(topic));
        Stage.same(Stage.ending(() -> admin.deleteTopics(List.of(topic)).all().get()),
            "UnknownTopicOrPartitionException", "deleted again");
    }

    private static TopicDescription described(Admin admin, String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private static void configs(Stage stage) throws Exception {
        Admin admin = stage.admin();
        var topic = new ConfigResource(ConfigResource.Type.TOPIC, stage.filled(1));
        Stage.same(config(admin, topic, "retention.ms").value(), "604800000", "the default");
        Stage.same(config(admin, topic, "retention.ms").isDefault(), true, "is the default");
        alter(admin, topic, "retention.ms", "1000000", AlterConfigOp.OpType.SET);
        Stage.until("it is set", () -> config(admin, topic, "retention.ms").value().equals("1000000"));
        Stage.same(config(admin, topic, "retention.ms").source(),
            ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "its source");
        alter(admin, topic, "retention.ms", "", AlterConfigOp.OpType.DELETE);
        Stage.until("it is the default", () -> config(admin, topic, "retention.ms").isDefault());
        for (String[] wrong : new String[][] {{"retention.ms", "soon"}, {"retention.msec", "1"}}) {
            Stage.same(Stage.ending(() -> {
                alter(admin, topic, wrong[0], wrong[1], AlterConfigOp.OpType.SET);
                return null;
            }), "InvalidConfigurationException", wrong[0] + "=" + wrong[1]);
        }
    }

    private static ConfigEntry config(Admin admin, ConfigResource of, String name) throws Exception {
        return admin.describeConfigs(List.of(of)).all().get().get(of).get(name);
    }

    private static void alter(Admin admin, ConfigResource of, String name, String value,
            AlterConfigOp.OpType how) throws Exception {
        var op = new AlterConfigOp(new ConfigEntry(name, value), how);
        admin.incrementalAlterConfigs(Map.of(of, List.of(op))).all().get();
    }

    private static void records(Stage stage) throws Exception {
        Admin admin = stage.admin();
        var place = new TopicPartition(stage.filled(1), 0);
        var producer = stage.producer();
        long base = System.currentTimeMillis() - 3_600_000;
        for (int n = 0; n < 10; n++) {
            producer.send(new ProducerRecord<>(place.topic(), 0, base + n, null, "" + n)).get();
        }
        var deleted = admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(4)));
        Stage.same(deleted.lowWatermarks().get(place).get().lowWatermark(), 4L, "the new start");
        Stage.same(at(admin, place, OffsetSpec.earliest()), 4L, "earliest");
        Stage.same(at(admin, place, OffsetSpec.latest()), 10L, "latest");
        Stage.same(at(admin, place, OffsetSpec.forTimestamp(base + 7)), 7L, "by time");
        Stage.same(at(admin, place, OffsetSpec.maxTimestamp()), 9L, "of the highest time");
        Stage.same(stage.read(6, place).get(0).value(), "4", "the first that is left");
        Stage.same(Stage.ending(() -> admin.deleteRecords(
            Map.of(place, RecordsToDelete.beforeOffset(11))).all().get()),
            "OffsetOutOfRangeException", "beyond the end");
    }

    private static long at(Admin admin, TopicPartition place, OffsetSpec when) throws Exception {
        return admin.listOffsets(Map.of(place, when)).partitionResult(place).get().offset();
    }

    private static void groups(Stage stage) throws Exception {
        Admin admin = stage.admin();
        String topic = stage.filled(4);
        var consumer = stage.consumer("client.id", "reader", "group.instance.id", "reader-1");
        consumer.subscribe(List.of(topic));
        Stage.until("it has its work", () -> {
            consumer.poll(Duration.ofMillis(50));
            return consumer.assignment().size() == 4;
        });
        ConsumerGroupDescription found = described(stage);
        Stage.same(found.groupState(), GroupState.STABLE, "state");
        Stage.same(found.partitionAssignor(), "range", "assignor");
        Stage.same(found.coordinator().port(), port(stage), "coordinator");
        var member = found.members().iterator().next();
        Stage.same(member.clientId(), "reader", "client id");
        Stage.same(member.groupInstanceId().orElse(""), "reader-1", "instance");
        Stage.same(member.host(), "/127.0.0.1", "host");
        Stage.same(member.assignment().topicPartitions(), consumer.assignment(), "assignment");
        var listed = admin.listGroups().all().get().stream()
            .filter(group -> group.groupId().equals(stage.group())).findFirst().orElseThrow();
        Stage.same(listed.protocol(), "consumer", "protocol");
        Stage.same(listed.groupState().orElseThrow(), GroupState.STABLE, "state in the list");
        Stage.same(Stage.ending(() -> admin.deleteConsumerGroups(List.of(stage.group())).all().get()),
            "GroupNotEmptyException", "deleting a group with members");
        admin.removeMembersFromConsumerGroup(stage.group(),
            new RemoveMembersFromConsumerGroupOptions()).all().get();
        Stage.until("it is empty", () -> described(stage).groupState() == GroupState.EMPTY);
        admin.deleteConsumerGroups(List.of(stage.group())).all().get();
        Set<String> left = admin.listGroups().all().get().stream()
            .map(GroupListing::groupId).collect(Collectors.toSet());
        Stage.same(left.contains(stage.group()), false, "listed after its deletion");
    }

    private static int port(Stage stage) {
        return Integer.parseInt(stage.bootstrap.substring(stage.bootstrap.lastIndexOf(':') + 1));
    }

    private static ConsumerGroupDescription described(Stage stage) throws Exception {
        var found = stage.admin().describeConsumerGroups(List.of(stage.group())).all().get();
        return found.get(stage.group());
    }

    private static void offsets(Stage stage) throws Exception {
        Admin admin = stage.admin();
        String topic = stage.filled(3);
        TopicPartition[] places = Stage.places(topic, 3);
        var some = Map.of(places[0], new OffsetAndMetadata(3, "why"),
            places[1], new OffsetAndMetadata(5));
        admin.alterConsumerGroupOffsets(stage.group(), some).all().get();
        var asked = new ListConsumerGroupOffsetsSpec().topicPartitions(new ArrayList<>(List.of(places)));
        var found = admin.listConsumerGroupOffsets(Map.of(stage.group(), asked))
            .partitionsToOffsetAndMetadata(stage.group()).get();
        Stage.same(found.get(places[0]).offset(), 3L, "altered");
        Stage.same(found.get(places[0]).metadata(), "why", "with its note");
        Stage.same(found.get(places[2]), null, "never committed");
        admin.deleteConsumerGroupOffsets(stage.group(), Set.of(places[0])).all().get();
        var left = admin.listConsumerGroupOffsets(stage.group()).partitionsToOffsetAndMetadata().get();
        Stage.same(left.keySet(), Set.of(places[1]), "left");
        admin.deleteTopics(List.of(topic)).all().get();
        Stage.until("commits go with their topic", () -> admin.listConsumerGroupOffsets(stage.group())
            .partitionsToOffsetAndMetadata().get().isEmpty());
    }
}
