//! Precedence, names in every spelling, refusals by their text, and what is shown.

use super::*;

fn sources(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>()
    };
    let path = (!file.is_empty()).then(|| {
        let directory = tempfile::tempdir().expect("a temporary directory").keep();
        let path = directory.join("tidings.toml");
        std::fs::write(&path, file).expect("it can be written");
        path
    });
    Sources {
        file: path,
        environment: owned(environment),
        flags: owned(flags),
        ..Sources::default()
    }
}

fn shown(settings: &Settings, name: &str) -> (String, Origin) {
    let line = settings.show().into_iter().find(|s| s.name == name).expect(name);
    (line.value, line.origin)
}

#[test]
fn flag_over_environment_over_file_over_code() {
    let file = "bootstrap = \"file:1\"\n[kafka]\nlinger.ms = 1\n";
    let environment = [("TIDINGS_BOOTSTRAP", "env:1"), ("TIDINGS_KAFKA_LINGER_MS", "2")];
    let flags = [("bootstrap", "flag:1"), ("linger.ms", "3")];
    let code = ("bootstrap".to_owned(), "code:1".to_owned());
    let rows: [(Sources, &str, &str); 5] = [
        (Sources::default(), "127.0.0.1:9092", "0"),
        (Sources { code: vec![code.clone()], ..Sources::default() }, "code:1", "0"),
        (Sources { code: vec![code.clone()], ..sources(file, &[], &[]) }, "file:1", "1"),
        (sources(file, &environment, &[]), "env:1", "2"),
        (sources(file, &environment, &flags), "flag:1", "3"),
    ];
    for (sources, bootstrap, linger) in rows {
        let settings = Settings::load(sources).unwrap();
        assert_eq!(settings.bootstrap(), bootstrap);
        assert_eq!(settings.producer().get("linger.ms"), Some(linger));
        assert_eq!(settings.producer().get("bootstrap.servers"), Some(bootstrap));
    }
}

#[test]
fn code_that_comes_last_does_not_win() {
    let mut settings = Settings::load(sources("", &[("TIDINGS_LOG", "json")], &[])).unwrap();
    settings.set("log", "text", Origin::Code).unwrap();
    assert_eq!(settings.log(), LogFormat::Json);
    assert_eq!(shown(&settings, "log").1.to_string(), "environment TIDINGS_LOG");
}

#[test]
fn names_that_mean_the_same_are_one_setting() {
    let rows = [
        ("bootstrap.servers", "a:1", "bootstrap", "a:1"),
        ("metadata.broker.list", "a:1", "bootstrap", "a:1"),
        ("group.instance.id", "one", "instance", "one"),
        ("sasl.mechanism", "PLAIN", "kafka.sasl.mechanisms", "PLAIN"),
        ("sasl.mechanisms", "PLAIN", "kafka.sasl.mechanisms", "PLAIN"),
        ("kafka.linger.ms", "2", "kafka.linger.ms", "2"),
        ("queue.buffering.max.ms", "2", "kafka.linger.ms", "2"),
        ("max.request.size", "2000", "kafka.message.max.bytes", "2000"),
        ("fetch.max.wait.ms", "2", "kafka.fetch.wait.max.ms", "2"),
        ("delivery.timeout.ms", "2000", "kafka.message.timeout.ms", "2000"),
        ("auto.offset.reset", "none", "kafka.auto.offset.reset", "error"),
        ("acks", "-1", "kafka.acks", "all"),
        (
            "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
            "kafka.partition.assignment.strategy",
            "cooperative-sticky",
        ),
        ("http", "9464", "http", "127.0.0.1:9464"),
        ("http", "[::]:80", "http", "[::]:80"),
        ("create_topics", "Yes", "create_topics", "true"),
    ];
    for (given, value, name, expected) in rows {
        let settings = Settings::load(sources("", &[], &[(given, value)])).expect(given);
        assert_eq!(shown(&settings, name).0, expected, "{given}");
    }
}

#[test]
fn what_is_refused_says_what_to_do() {
    let rows = [
        ("liner.ms", "5", "`liner.ms` (flag -X) is not a setting; did you mean `linger.ms`?"),
        ("boostrap.servers", "a", "did you mean `bootstrap.servers`?"),
        ("zzzz", "5", "`tidings config show` lists those that are set"),
        ("enable.auto.commit", "true", "a crash would lose them"),
        ("enable.auto.offset.store", "true", "a crash would lose it"),
        ("acks", "0", "`acks = 0` (flag -X) is refused"),
        ("acks", "1", "the loss of one broker could lose it; whoever wants it all the same"),
        ("enable.idempotence", "false", "order per key would be lost"),
        ("max.in.flight", "6", "can be reordered"),
        ("partitioner", "consistent", "other partitions than those of Java's clients"),
        ("auto.offset.reset", "latest", "would be skipped silently"),
        ("isolation.level", "read_uncommitted", "transactions that were given up"),
        ("group.id", "x", "`group.id` (flag -X) is set by Tidings: the group is the service's"),
        ("transactional.id", "x", "transactions are not used here"),
        ("key.serializer", "x", "belongs to Kafka's Java client: events are read and written by"),
        ("sasl.jaas.config", "x", "set `sasl.username` and `sasl.password`"),
        ("ssl.truststore.location", "x", "set `ssl.ca.location`"),
        ("enable.ssl.certificate.verification", "false", "could pose as the broker"),
        ("security.protocol", "SASL_PLAINTEXT", "`sasl.mechanism` (not set); there are PLAIN"),
        ("sasl.mechanism", "GSSAPI", "`sasl.mechanism = GSSAPI` (flag -X); there are PLAIN"),
        ("linger.ms", "soon", "`linger.ms = soon` (flag -X) is wrong"),
        ("linger.ms", "-1", "`linger.ms = -1` (flag -X) is wrong"),
        ("log", "xml", "`log = xml` (flag --log) is wrong: it must be one of: text, json"),
        ("http", "everywhere", "it must be an address such as 127.0.0.1:9464, or a port"),
        ("create_topics", "perhaps", "(flag --create-topics) is wrong: it must be true or false"),
        ("topic_partitions", "0", "a whole number from 1 to 10000"),
        ("bootstrap", " ", "name at least one broker, as host:port"),
    ];
    for (name, value, expected) in rows {
        let error = Settings::load(sources("", &[], &[(name, value)])).expect_err(name);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn danger_is_spelled_out() {
    let rows: [Sources; 4] = [
        sources("", &[], &[("danger.acks", "1")]),
        sources("", &[], &[("kafka.danger.acks", "1")]),
        sources("", &[("TIDINGS_KAFKA_DANGER_ACKS", "1")], &[]),
        sources("[kafka]\ndanger.acks = 1\n", &[], &[]),
    ];
    for sources in rows {
        assert_eq!(Settings::load(sources).unwrap().producer().get("acks"), Some("1"));
    }
}

#[test]
fn files_are_read_in_every_way_of_writing_a_table() {
    let ways = [
        "[kafka]\nlinger.ms = 7\nsocket.keepalive.enable = true\n",
        "[kafka]\n\"linger.ms\" = 7\n\"socket.keepalive.enable\" = \"true\"\n",
        "kafka.linger.ms = 7\nkafka.socket.keepalive.enable = true\n",
        "linger.ms = 7\nsocket.keepalive.enable = true\n",
    ];
    for way in ways {
        let settings = Settings::load(sources(way, &[], &[])).expect(way);
        assert_eq!(shown(&settings, "kafka.linger.ms").0, "7", "{way}");
        assert_eq!(settings.client().get("socket.keepalive.enable"), Some("true"));
    }
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let rows = [
        ("bootstrap = ", "cannot be used"),
        ("bootstrap = [1]", "`bootstrap` must be a text, a number or a boolean"),
        ("bootstap = \"a\"", "did you mean `bootstrap`?"),
        ("[kafka]\nliner.ms = 1", "did you mean `linger.ms`?"),
    ];
    for (text, expected) in rows {
        let error = Settings::load(sources(text, &[], &[])).expect_err(text).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("tidings.toml"), "{error}");
    }
    let gone = sources("", &[("TIDINGS_CONFIG", "/nowhere/tidings.toml")], &[]);
    let error = Settings::load(gone).unwrap_err().to_string();
    assert!(error.starts_with("the configuration file /nowhere/tidings.toml cannot be used"));
}

#[test]
fn the_file_in_the_working_directory_may_be_missing() {
    let directory = tempfile::tempdir().unwrap();
    let here = || Sources { directory: Some(directory.path().into()), ..Sources::default() };
    assert_eq!(Settings::load(here()).unwrap().bootstrap(), "127.0.0.1:9092");
    std::fs::write(directory.path().join("tidings.toml"), "bootstrap = \"b:1\"").unwrap();
    assert_eq!(Settings::load(here()).unwrap().bootstrap(), "b:1");
}

#[test]
fn an_unknown_variable_is_a_warning_unless_it_is_the_clients() {
    // Kubernetes sets such a variable for a service that is called `tidings`.
    let settings =
        Settings::load(sources("", &[("TIDINGS_PORT", "tcp://1"), ("HOME", "/")], &[])).unwrap();
    assert_eq!(settings.warnings().len(), 1);
    assert!(settings.warnings()[0].contains("TIDINGS_PORT is not a setting"));
    let error = Settings::load(sources("", &[("TIDINGS_KAFKA_LINGER", "1")], &[])).unwrap_err();
    assert!(error.to_string().contains("did you mean `linger.ms`?"), "{error}");
}

#[test]
fn secrets_are_masked_wherever_they_are_printed() {
    let mut settings = Settings::defaults();
    settings.set("sasl.password", "hunter2", Origin::Code).unwrap();
    settings.set("sasl.username", "ada", Origin::Code).unwrap();
    assert_eq!(shown(&settings, "kafka.sasl.password").0, "****");
    assert_eq!(shown(&settings, "kafka.sasl.username").0, "ada");
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(settings.client().get("sasl.password"), Some("hunter2"));
}

#[test]
fn each_kind_of_client_gets_its_own_properties() {
    let mut settings = Settings::new("a:1").unwrap();
    settings.set("batch.size", "5", Origin::Code).unwrap();
    settings.set("fetch.min.bytes", "7", Origin::Code).unwrap();
    settings.set("client.id", "me", Origin::Code).unwrap();
    settings.set("instance", "one", Origin::Code).unwrap();
    let (producer, consumer) = (settings.producer(), settings.consumer("payments"));
    assert_eq!((producer.get("batch.size"), consumer.get("batch.size")), (Some("5"), None));
    assert_eq!(producer.get("fetch.min.bytes"), None);
    assert_eq!(consumer.get("fetch.min.bytes"), Some("7"));
    assert_eq!((producer.get("client.id"), consumer.get("client.id")), (Some("me"), Some("me")));
    assert_eq!(consumer.get("group.id"), Some("payments"));
    assert_eq!(consumer.get("group.instance.id"), Some("one"));
    assert_eq!(consumer.get("fetch.queue.backoff.ms"), Some("5"));
    assert_eq!(producer.get("enable.idempotence"), Some("true"));
}

#[test]
fn the_list_of_properties_is_librdkafkas() {
    let names: Vec<&str> = properties::PROPERTIES.iter().map(|(name, _)| *name).collect();
    assert!(names.is_sorted());
    let is_unknown = |name: &str| {
        let mut config = rdkafka::ClientConfig::new();
        config.set(name, "\u{1}");
        let error = config.create_native_config().err().map(|e| e.to_string());
        error.is_some_and(|e| e.contains("No such configuration property"))
    };
    assert!(is_unknown("liner.ms"), "librdkafka words it differently now");
    let unknown: Vec<_> = names.iter().filter(|name| is_unknown(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let defaults = client::defaults().chain(own::defaults());
    assert_eq!(Settings::defaults().show().len(), defaults.count());
}

#[test]
fn security_that_does_not_fit_together_is_said_before_anything_is_connected() {
    let plain = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN")];
    let error = Settings::load(sources("", &[], &plain)).unwrap_err().to_string();
    assert!(error.ends_with("needs `sasl.username` (not set)"), "{error}");
    let user = [plain[0], plain[1], ("sasl.username", "ada")];
    let error = Settings::load(sources("", &[], &user)).unwrap_err().to_string();
    assert!(error.ends_with("needs `sasl.password` (not set)"), "{error}");
    let whole = [user[0], user[1], user[2], ("sasl.password", "hunter2")];
    assert!(Settings::load(sources("", &[], &whole)).unwrap().warnings().is_empty());

    // Whoever forgets the protocol is told, and their password is not.
    let settings = Settings::load(sources("", &[], &whole[1..])).unwrap();
    let warning = &settings.warnings()[0];
    assert!(warning.contains("set `security.protocol` to SASL_SSL"), "{warning}");
    let alone = Settings::load(sources("", &[], &[whole[3]])).unwrap();
    assert!(alone.warnings()[0].starts_with("`sasl.password` (flag -X) has no effect"));
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_build_without_tls_says_which_one_has_it() {
    let rows = [
        ("security.protocol", "SASL_SSL"),
        ("security.protocol", "ssl"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("ssl.ca.location", "/nowhere.pem"),
    ];
    for (name, value) in rows {
        let error = Settings::load(sources("", &[], &[(name, value)])).unwrap_err().to_string();
        assert!(error.contains("--features tls"), "{error}");
        assert!(error.contains("the feature `tls` of the crate `tidings`"), "{error}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn files_of_certificates_are_looked_for_at_once() {
    let rows = [
        (vec![("ssl.ca.location", "/nowhere.pem")], "`ssl.ca.location = /nowhere.pem` (flag -X)"),
        (vec![("ssl.key.location", "/dev/null")], "needs `ssl.certificate.location` (not set)"),
    ];
    for (flags, expected) in rows {
        let error = Settings::load(sources("", &[], &flags)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
