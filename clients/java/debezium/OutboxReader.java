import com.fasterxml.jackson.databind.ObjectMapper;
import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.RecordChangeEvent;
import io.debezium.engine.format.ChangeEventFormat;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;

/**
 * Debezium's connector and its outbox router, run by its embedded engine under a user's own
 * properties. Every record that would go to Kafka is a line of JSON, its bytes in hex as Kafka
 * Connect's converters make them.
 *
 * <p>Usage: OutboxReader PROPERTIES. It ends when standard input does; exit code 0 only when the
 * engine ended because of that and without an error.
 */
public final class OutboxReader {
    private final Converter keys;
    private final Converter values;
    private final HeaderConverter headers;
    private final ObjectMapper json = new ObjectMapper();

    private OutboxReader(Properties settings) throws ReflectiveOperationException {
        keys = made("key.converter", settings, Converter.class);
        keys.configure(below("key.converter.", settings), true);
        values = made("value.converter", settings, Converter.class);
        values.configure(below("value.converter.", settings), false);
        headers = made("header.converter", settings, HeaderConverter.class);
        Map<String, Object> ofHeaders = below("header.converter.", settings);
        ofHeaders.put("converter.type", "header");
        headers.configure(ofHeaders);
    }

    public static void main(String[] words) throws Exception {
        Properties settings = new Properties();
        try (Reader file = Files.newBufferedReader(Path.of(words[0]))) {
            settings.load(file);
        }
        OutboxReader reader = new OutboxReader(settings);
        AtomicBoolean told = new AtomicBoolean();
        AtomicBoolean well = new AtomicBoolean();
        DebeziumEngine<RecordChangeEvent<SourceRecord>> engine =
            DebeziumEngine.create(ChangeEventFormat.of(Connect.class))
                .using(settings)
                .using((success, message, error) -> {
                    well.set(success);
                    if (!success) {
                        System.err.println("the engine ended: " + message);
                        if (error != null) {
                            error.printStackTrace();
                        }
                    }
                })
                .notifying(event -> reader.print(event.record()))
                .build();
        Thread end = new Thread(() -> endWithInput(engine, told));
        end.setDaemon(true);
        end.start();
        engine.run();
        System.exit(told.get() && well.get() ? 0 : 1);
    }

    private static void endWithInput(DebeziumEngine<?> engine, AtomicBoolean told) {
        try {
            System.in.transferTo(OutputStream.nullOutputStream());
            told.set(true);
            engine.close();
        } catch (IOException | RuntimeException error) {
            // It had not begun: nothing is left to wait for.
            error.printStackTrace();
            System.exit(1);
        }
    }

    private void print(SourceRecord record) {
        String topic = record.topic();
        List<List<String>> names = new ArrayList<>();
        for (var header : record.headers()) {
            byte[] bytes =
                headers.fromConnectHeader(topic, header.key(), header.schema(), header.value());
            names.add(Arrays.asList(header.key(), hex(bytes)));
        }
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("topic", topic);
        line.put("key", hex(keys.fromConnectData(topic, record.keySchema(), record.key())));
        line.put("value", hex(values.fromConnectData(topic, record.valueSchema(), record.value())));
        line.put("headers", names);
        try {
            System.out.println(json.writeValueAsString(line));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(bytes);
    }

    /** As a worker of Kafka Connect makes its converters; headers have a default there. */
    private static <T> T made(String name, Properties settings, Class<T> kind)
            throws ReflectiveOperationException {
        String usual = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
        String type = settings.getProperty(name, kind == HeaderConverter.class ? usual : null);
        if (type == null) {
            throw new IllegalArgumentException(name + " is not set");
        }
        return kind.cast(Class.forName(type).getDeclaredConstructor().newInstance());
    }

    private static Map<String, Object> below(String prefix, Properties settings) {
        Map<String, Object> found = new LinkedHashMap<>();
        for (String name : settings.stringPropertyNames()) {
            if (name.startsWith(prefix)) {
                found.put(name.substring(prefix.length()), settings.getProperty(name));
            }
        }
        return found;
    }
}
