//! What librdkafka and Apache Kafka say, and what becomes of it.

use super::*;
use crate::config::{Origin, Settings};

fn settings() -> Settings {
    let mut settings = Settings::new("127.0.0.1:9093").unwrap();
    let given = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "ada"),
        ("sasl.password", "hunter2"),
    ];
    for (name, value) in given {
        settings.set(name, value, Origin::Environment("HERE".to_owned())).unwrap();
    }
    settings
}

fn link() -> Link {
    Link::new(&settings())
}

/// As they were seen, from librdkafka 2.12.1 and Apache Kafka 4.3.1, with the code they came with.
#[test]
fn what_is_said_names_the_setting() {
    use RDKafkaErrorCode as Code;
    use TroubleKind::{Certificate, Closed, Credentials, Protocol, Unreachable};
    let rows = [
        (
            Some(Code::Authentication),
            "sasl_plaintext://k:9093/bootstrap: SASL authentication error: Authentication failed: \
             Invalid username or password (after 3ms in state AUTH_REQ)",
            Credentials,
            "k:9093 refuses the user `ada`: check `sasl.username = ada` (environment HERE) and \
             `sasl.password` (environment HERE), and that the user exists there for \
             `sasl.mechanism = PLAIN` (environment HERE)",
        ),
        (
            Some(Code::Authentication),
            "sasl_plaintext://k:9093/bootstrap: SASL PLAIN mechanism handshake failed: Broker: \
             Unsupported SASL mechanism: broker's supported mechanisms: \
             SCRAM-SHA-512,SCRAM-SHA-256 (after 1ms in state AUTH_HANDSHAKE)",
            Credentials,
            "k:9093 does not take `sasl.mechanism = PLAIN` (environment HERE): it offers \
             SCRAM-SHA-512, SCRAM-SHA-256",
        ),
        (
            Some(Code::SSL),
            "ssl://k:9093/bootstrap: SSL handshake failed: error:0A000086:SSL \
             routines::certificate verify failed: broker certificate could not be verified",
            Certificate,
            "the certificate of k:9093 is not trusted: set `ssl.ca.location` to the PEM file",
        ),
        (
            Some(Code::SSL),
            "ssl://k:9093/1: Receive failed: error:0A00045C:SSL routines::tlsv13 alert \
             certificate required: SSL alert number 116",
            Certificate,
            "k:9093 asks for a client's certificate: set `ssl.certificate.location`",
        ),
        (
            Some(Code::BrokerTransportFailure),
            "ssl://k:9093/bootstrap: SSL handshake failed: Disconnected: connecting to a \
             PLAINTEXT broker listener? (after 2ms in state SSL_HANDSHAKE)",
            Protocol,
            "k:9093 does not speak TLS",
        ),
        (
            None,
            "[thrd:k:9093/bootstrap]: k:9093/bootstrap: Disconnected: connection closed by peer: \
             receive 0 after POLLIN (after 3ms in state APIVERSION_QUERY)",
            Protocol,
            "k:9093 speaks TLS: set `security.protocol` to SASL_SSL",
        ),
        (
            None,
            "[thrd:k:9093/1]: k:9093/1: Disconnected: connection closed by peer (after 600123ms \
             in state UP)",
            Closed,
            "k:9093 closes the connection",
        ),
        (
            Some(Code::BrokerTransportFailure),
            "k:9093/bootstrap: Connect to ipv4#127.0.0.1:9093 failed: Connection refused (after \
             0ms in state CONNECT)",
            Unreachable,
            "k:9093 cannot be reached (connection refused)",
        ),
        (
            Some(Code::AllBrokersDown),
            "1/1 brokers are down",
            Unreachable,
            "no broker of 127.0.0.1:9093 can be reached",
        ),
    ];
    for (code, reason, kind, sentence) in rows {
        let trouble = link().shared.security.diagnose(code, reason);
        assert_eq!(trouble.kind(), kind, "{reason}");
        assert!(trouble.to_string().contains(sentence), "{trouble}");
        assert!(!trouble.to_string().contains("hunter2"));
    }
}

#[test]
fn a_flood_is_told_once_and_its_end_once() {
    let link = link();
    for _ in 0..100 {
        link.note(Some(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        link.log(RDKafkaLogLevel::Warning, "FAIL", "k:9093/1: Disconnected");
    }
    let told = |link: &Link| {
        let told = link.lock();
        (told.down_said, told.unsaid, told.down_since.is_some())
    };
    assert_eq!(told(&link), (true, 99, true));
    link.up();
    assert_eq!(told(&link), (false, 99, false));
    assert_eq!(link.trouble(), None);
    // Again within seconds: kept, and not told.
    link.note(Some(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
    assert_eq!(told(&link), (false, 100, true));
}

#[test]
fn a_refusal_outlives_what_says_less_and_ends_the_asking() {
    let link = link();
    let mut asked = 0;
    let refused = link.ask(Duration::from_secs(3600), |_| {
        asked += 1;
        link.note(Some(RDKafkaErrorCode::Authentication), "SASL authentication error");
        link.note(Some(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        Err::<(), _>(KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure))
    });
    let trouble = refused.unwrap_err().trouble.unwrap();
    assert_eq!((asked, trouble.kind(), trouble.is_refusal()), (2, TroubleKind::Credentials, true));
}

#[test]
fn once_it_has_answered_it_speaks_what_we_speak() {
    let link = link();
    let closed = "k:9093/1: Disconnected: closed (after 1ms in state APIVERSION_QUERY)";
    link.note(None, closed);
    assert_eq!(link.trouble().unwrap().kind(), TroubleKind::Protocol);
    link.up();
    link.note(None, closed);
    assert_eq!(link.trouble().unwrap().kind(), TroubleKind::Closed);
}

#[test]
fn a_missing_right_comes_with_the_line_that_gives_it() {
    let sentence = link().not_allowed(Act::Write("orders")).to_string();
    assert_eq!(
        sentence,
        "127.0.0.1:9093 does not allow the user `ada` (sasl.username) to write to the topic \
         orders; an administrator allows it with: kafka-acls --add --allow-principal User:ada \
         --operation Write --topic orders"
    );
    let topics = Act::ReadOneOf(&["a", "b"]);
    let anonymous = Link::quiet(&Settings::new("k:1").unwrap()).not_allowed(topics);
    assert!(anonymous.acl.ends_with("User:ANONYMOUS --operation Read --topic a --topic b"));
}
