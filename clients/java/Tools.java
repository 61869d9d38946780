import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.Exit;

/** Kafka's command-line tools as they are, judged by what they print. */
final class Tools {
    private Tools() {}

    static void add(Map<String, Suite.Scenario> all) {
        all.put("tool_topic_command", Tools::topics);
        all.put("tool_configs_command", Tools::configs);
        all.put("tool_producer_and_consumer_performance", Tools::performance);
        all.put("tool_consumer_group_command", Tools::groups);
        all.put("tool_get_offset_shell", Tools::offsets);
        all.put("tool_delete_records_command", Tools::deletes);
    }

    /** A tool's own end, which must not be ours. */
    private static final class Ended extends RuntimeException {
        Ended(int code) {
            super("exit " + code, null, false, false);
        }
    }

    /** Runs a tool's `main` in this JVM, which spares a start each; returns what it printed. */
    private static String run(String tool, String... words) throws Exception {
        var printed = new ByteArrayOutputStream();
        PrintStream out = System.out;
        PrintStream err = System.err;
        var both = new PrintStream(printed, true, StandardCharsets.UTF_8);
        // The first one counts: a tool may take its own end for an error, and end again.
        var ends = new ArrayList<Integer>();
        Exit.setExitProcedure((code, message) -> {
            ends.add(code);
            throw new Ended(code);
        });
        System.setOut(both);
        System.setErr(both);
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) words);
        } catch (InvocationTargetException error) {
            if (!(error.getCause() instanceof Ended)) {
                throw error;
            }
        } finally {
            System.setOut(out);
            System.setErr(err);
            Exit.resetExitProcedure();
        }
        String text = printed.toString(StandardCharsets.UTF_8);
        int code = ends.isEmpty() ? 0 : ends.get(0);
        Stage.truth(code == 0, tool + " ended with " + code + ": " + text);
        return text;
    }

    private static void says(String text, String... parts) {
        for (String part : parts) {
            Stage.truth(text.contains(part), "`" + part + "` is missing in: " + text);
        }
    }

    private static String topic(Stage stage, String... words) throws Exception {
        return with("org.apache.kafka.tools.TopicCommand", stage, words);
    }

    private static String with(String tool, Stage stage, String... words) throws Exception {
        String[] all = new String[words.length + 2];
        all[0] = "--bootstrap-server";
        all[1] = stage.bootstrap;
        System.arraycopy(words, 0, all, 2, words.length);
        return run(tool, all);
    }

    private static void topics(Stage stage) throws Exception {
        String name = stage.topic();
        says(topic(stage, "--create", "--topic", name, "--partitions", "3", "--config",
            "retention.ms=1234567"), "Created topic " + name);
        Stage.until("it is listed", () -> topic(stage, "--list").contains(name));
        says(topic(stage, "--describe", "--topic", name), "PartitionCount: 3",
            "ReplicationFactor: 1", "retention.ms=1234567", "Partition: 2\tLeader: ", "Isr: ");
        topic(stage, "--alter", "--topic", name, "--partitions", "5");
        Stage.until("it has grown",
            () -> topic(stage, "--describe", "--topic", name).contains("PartitionCount: 5"));
        topic(stage, "--delete", "--topic", name);
        Stage.until("it is gone", () -> !topic(stage, "--list").contains(name));
    }

    private static void configs(Stage stage) throws Exception {
        String name = stage.filled(1);
        String tool = "org.apache.kafka.tools.ConfigCommand";
        try {
            Class.forName(tool);
        } catch (ClassNotFoundException moved) {
            tool = "kafka.admin.ConfigCommand";
        }
        String command = tool;
        String[] of = {"--entity-type", "topics", "--entity-name", name};
        says(with(command, stage, of[0], of[1], of[2], of[3], "--alter", "--add-config",
            "max.message.bytes=4321"), "Completed updating config for topic " + name);
        Stage.until("it is told", () -> with(command, stage, of[0], of[1], of[2], of[3], "--describe")
            .contains("max.message.bytes=4321"));
    }

    private static void performance(Stage stage) throws Exception {
        String name = stage.filled(4);
        String sent = run("org.apache.kafka.tools.ProducerPerformance", "--topic", name,
            "--num-records", "20000", "--record-size", "100", "--throughput", "-1",
            "--producer-props", "bootstrap.servers=" + stage.bootstrap, "acks=all");
        says(sent, "20000 records sent", "99.9th.");
        String read = with("org.apache.kafka.tools.ConsumerPerformance", stage, "--topic", name,
            "--messages", "20000", "--group", stage.group(), "--timeout", "20000");
        String[] lines = read.strip().split("\n");
        String[] columns = lines[lines.length - 1].split(",");
        long fetched = Long.parseLong(columns[4].strip());
        Stage.truth(fetched == 20_000, "fetched " + fetched + ": " + read);
    }

    private static String group(Stage stage, String... words) throws Exception {
        return with("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", stage, words);
    }

    private static void groups(Stage stage) throws Exception {
        String name = stage.filled(1);
        var producer = stage.producer();
        for (int n = 0; n < 10; n++) {
            producer.send(new ProducerRecord<>(name, 0, null, "" + n)).get();
        }
        var consumer = stage.consumer("max.poll.records", 4, "client.id", "reader");
        consumer.subscribe(List.of(name));
        Stage.until("four are read", () -> consumer.poll(Duration.ofMillis(100)).count() == 4);
        consumer.commitSync();
        String group = stage.group();
        says(group(stage, "--list"), group);
        says(group(stage, "--describe", "--group", group).replaceAll(" +", " "),
            group + " " + name + " 0 4 10 6 reader-");
        says(group(stage, "--describe", "--group", group, "--state"), "Stable", "range");
        says(group(stage, "--describe", "--group", group, "--members"), "reader", "/127.0.0.1");
        consumer.close();
        says(group(stage, "--reset-offsets", "--group", group, "--topic", name, "--to-earliest",
            "--execute").replaceAll(" +", " "), group + " " + name + " 0 0");
        says(group(stage, "--describe", "--group", group).replaceAll(" +", " "),
            group + " " + name + " 0 0 10 10");
        says(group(stage, "--delete", "--group", group), "was successful");
        Stage.truth(!group(stage, "--list").contains(group), "it is listed after its deletion");
    }

    private static void offsets(Stage stage) throws Exception {
        String name = stage.filled(2);
        var producer = stage.producer();
        long base = System.currentTimeMillis() - 3_600_000;
        for (int n = 0; n < 6; n++) {
            producer.send(new ProducerRecord<>(name, n % 2, base + n, null, "" + n)).get();
        }
        var before = org.apache.kafka.clients.admin.RecordsToDelete.beforeOffset(1);
        stage.admin().deleteRecords(Map.of(new TopicPartition(name, 0), before)).all().get();
        says(shell(stage, name, "-1"), name + ":0:3", name + ":1:3");
        says(shell(stage, name, "latest"), name + ":0:3", name + ":1:3");
        says(shell(stage, name, "earliest"), name + ":0:1", name + ":1:0");
        says(shell(stage, name, "" + (base + 3)), name + ":0:2", name + ":1:1");
        says(shell(stage, name, "max-timestamp"), name + ":0:2", name + ":1:2");
    }

    private static String shell(Stage stage, String topic, String time) throws Exception {
        return with("org.apache.kafka.tools.GetOffsetShell", stage, "--topic", topic, "--time", time);
    }

    private static void deletes(Stage stage) throws Exception {
        String name = stage.filled(1);
        var producer = stage.producer();
        for (int n = 0; n < 5; n++) {
            producer.send(new ProducerRecord<>(name, 0, null, "" + n)).get();
        }
        var file = Files.createTempFile("delete-records", ".json");
        try {
            Files.writeString(file, "{\"version\":1,\"partitions\":[{\"topic\":\"" + name
                + "\",\"partition\":0,\"offset\":2}]}");
            says(with("org.apache.kafka.tools.DeleteRecordsCommand", stage,
                "--offset-json-file", file.toString()), "low_watermark: 2");
        } finally {
            Files.delete(file);
        }
    }
}
