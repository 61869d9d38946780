import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.acl.AclBindingFilter;

/** What the embedded broker does not offer: how a client is told, beside what Apache Kafka does. */
final class Missing {
    private Missing() {}

    static void add(Map<String, Suite.Scenario> all) {
        all.put("transactions", Missing::transactions);
        all.put("consumer_protocol", Missing::protocol);
        all.put("share_groups", Missing::share);
        all.put("acls", Missing::acls);
        all.put("log_dirs", Missing::dirs);
        all.put("quotas", Missing::quotas);
        all.put("replicas", Missing::replicas);
    }

    private static final String NO = "UnsupportedVersionException";

    private static void transactions(Stage stage) throws Exception {
        var producer = stage.producer("transactional.id", stage.topic(), "max.block.ms", 20_000);
        stage.differs("transactions", Stage.ending(() -> {
            producer.initTransactions();
            return null;
        }), "TransactionalIdAuthorizationException", "accepted");
    }

    private static void protocol(Stage stage) throws Exception {
        String topic = stage.filled(1);
        var consumer = stage.consumer("group.protocol", "consumer");
        consumer.subscribe(List.of(topic));
        stage.differs("consumer-protocol", Stage.ending(() -> {
            long deadline = System.nanoTime() + Stage.PATIENCE.toNanos();
            while (consumer.assignment().isEmpty()) {
                consumer.poll(Duration.ofMillis(50));
                Stage.truth(System.nanoTime() < deadline, "it gets no work");
            }
            return null;
        }), NO, "accepted");
    }

    private static void share(Stage stage) throws Exception {
        stage.differs("share-groups", Stage.ending(() ->
            stage.admin().describeShareGroups(List.of("none")).all().get()),
            NO, "GroupIdNotFoundException");
    }

    private static void acls(Stage stage) throws Exception {
        // This Apache Kafka has no authorizer either, and says so.
        stage.differs("acls", Stage.ending(() ->
            stage.admin().describeAcls(AclBindingFilter.ANY).values().get()),
            NO, "SecurityDisabledException");
    }

    private static void dirs(Stage stage) throws Exception {
        stage.differs("log-dirs", Stage.ending(() ->
            stage.admin().describeLogDirs(List.of(1)).allDescriptions().get()), NO, "accepted");
    }

    private static void quotas(Stage stage) throws Exception {
        stage.differs("quotas", Stage.ending(() -> stage.admin().describeClientQuotas(
            org.apache.kafka.common.quota.ClientQuotaFilter.all()).entities().get()), NO, "accepted");
    }

    /** Both are one node here: neither can place a second replica, and both say so. */
    private static void replicas(Stage stage) throws Exception {
        Stage.same(Stage.ending(() -> stage.admin().createTopics(
            List.of(new NewTopic(stage.topic(), 1, (short) 3))).all().get()),
            "InvalidReplicationFactorException", "three replicas on one node");
    }
}
