import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * Kafka's own Java client and command-line tools against the broker at HOST:PORT: each scenario by
 * itself, with topics and groups that nobody else uses.
 *
 * <p>Usage: Suite HOST:PORT --broker embedded|kafka [--json FILE] [--only WORD]. Exit code 0 only
 * when every scenario passed.
 */
public final class Suite {
    /** One scenario: what it does may throw anything; that fails it. */
    interface Scenario {
        void run(Stage stage) throws Exception;
    }

    /** What the scenarios are, in the order in which they run. */
    private static Map<String, Scenario> scenarios() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        Records.add(all);
        Groups.add(all);
        Admins.add(all);
        Tools.add(all);
        Missing.add(all);
        return all;
    }

    public static void main(String[] words) throws Exception {
        String bootstrap = words[0];
        String broker = "embedded";
        String only = "";
        Path json = null;
        for (int i = 1; i + 1 < words.length; i += 2) {
            switch (words[i]) {
                case "--broker" -> broker = words[i + 1];
                case "--json" -> json = Path.of(words[i + 1]);
                case "--only" -> only = words[i + 1];
                default -> throw new IllegalArgumentException("unknown: " + words[i]);
            }
        }
        String run = UUID.randomUUID().toString().substring(0, 6);
        List<List<Object>> rows = new ArrayList<>();
        Map<String, String> differences = new LinkedHashMap<>();
        int failed = 0;
        for (var entry : scenarios().entrySet()) {
            String name = entry.getKey();
            if (!name.contains(only)) {
                continue;
            }
            Stage stage = new Stage(bootstrap, broker, "java-" + run + "-" + name, differences);
            long began = System.nanoTime();
            String outcome = "ok";
            String text = "";
            try (stage) {
                entry.getValue().run(stage);
            } catch (Exception | AssertionError error) {
                outcome = "FAIL";
                text = told(error);
                failed++;
            }
            double took = (System.nanoTime() - began) / 1e9;
            System.out.printf("  %-4s  %5.1f s  java          %s  %s%n", outcome, took, name, text);
            rows.add(List.of(name, name.startsWith("tool_") ? "tools" : "java", outcome, took, text));
        }
        System.out.printf("%n%d passed, %d failed%n", rows.size() - failed, failed);
        if (json != null) {
            new ObjectMapper().writerWithDefaultPrettyPrinter()
                .writeValue(json.toFile(), Map.of("rows", rows, "differences", differences));
        }
        System.exit(failed == 0 && !rows.isEmpty() ? 0 : 1);
    }

    /** The error with its place in this suite. */
    private static String told(Throwable error) {
        for (StackTraceElement at : error.getStackTrace()) {
            if (!at.getClassName().contains(".") && !at.getClassName().startsWith("Stage")) {
                return error + " (" + at.getFileName() + ":" + at.getLineNumber() + ")";
            }
        }
        return error.toString();
    }
}
