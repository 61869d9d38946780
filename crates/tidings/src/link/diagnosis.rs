//! From what librdkafka says to a sentence that names the setting. Its error codes are few and
//! coarse (`Ssl`, `Authentication`, `BrokerTransportFailure`), so its words are read as well; the
//! tests hold them as they were seen, and `cargo xtask secured` meets them all on Apache Kafka.

use rdkafka::error::RDKafkaErrorCode;

use super::security::Security;
use super::{Trouble, TroubleKind};

impl Security {
    pub(super) fn diagnose(&self, code: Option<RDKafkaErrorCode>, reason: &str) -> Trouble {
        let (kind, sentence) = self.sentence(code, reason);
        Trouble { kind, sentence, reason: reason.to_owned() }
    }

    fn sentence(&self, code: Option<RDKafkaErrorCode>, reason: &str) -> (TroubleKind, String) {
        use RDKafkaErrorCode::{Authentication, SSL};
        let lower = reason.to_ascii_lowercase();
        let says = |words: &str| lower.contains(words);
        let broker = self.broker(reason);
        if says("mechanism handshake failed") || says("unsupported sasl mechanism") {
            return (TroubleKind::Credentials, self.wrong_mechanism(broker, &lower, reason));
        }
        if code == Some(Authentication) || says("authentication failed") {
            return (TroubleKind::Credentials, self.wrong_password(broker));
        }
        if says("certificate verify failed") || says("certificate could not be verified") {
            return (TroubleKind::Certificate, self.wrong_certificate(broker));
        }
        if says("alert") && (says("certificate") || says("unknown ca")) {
            return (TroubleKind::Certificate, self.unwelcome_certificate(broker, &lower));
        }
        if says("plaintext broker listener") || says("wrong version number") {
            return (TroubleKind::Protocol, self.no_tls_there(broker));
        }
        // What librdkafka means to add to a closed connection, and does not: its own guess looks at
        // the format instead of the words.
        let closed_in = |state: &str| says("disconnected") && says(&format!("in state {state}"));
        if closed_in("apiversion_query") && !self.is_tls() {
            return (TroubleKind::Protocol, self.tls_there(broker));
        }
        if closed_in("up") && is_short(&lower) && !self.is_sasl() {
            return (TroubleKind::Protocol, self.password_wanted(broker));
        }
        // 0x1503...: the beginning of an alert of TLS, read as the length of an answer.
        if says("connecting to a ssl listener") || says("invalid response size 352") {
            return (TroubleKind::Protocol, self.tls_there(broker));
        }
        if says("might require sasl") {
            return (TroubleKind::Protocol, self.password_wanted(broker));
        }
        if code == Some(SSL) {
            let sentence = format!(
                "TLS with {broker} fails: look at {}, {} and {}",
                self.protocol, self.ca, self.certificate
            );
            return (TroubleKind::Certificate, sentence);
        }
        if code.is_none() || says("disconnected") {
            return (TroubleKind::Closed, self.closed(broker));
        }
        (TroubleKind::Unreachable, self.unreachable(broker, code, reason))
    }

    fn wrong_mechanism(&self, broker: &str, lower: &str, reason: &str) -> String {
        let offered = lower.find("supported mechanisms: ").map(|at| {
            let list = &reason[at + "supported mechanisms: ".len()..];
            list.split(" (").next().unwrap_or(list).replace(',', ", ")
        });
        let offered = offered.filter(|list| !list.trim().is_empty());
        let offered = offered.unwrap_or_else(|| "others, which it does not name".to_owned());
        format!("{broker} does not take {}: it offers {offered}", self.mechanism)
    }

    fn wrong_password(&self, broker: &str) -> String {
        format!(
            "{broker} refuses the user `{}`: check {} and {}, and that the user exists there for \
             {}",
            self.username.value(),
            self.username,
            self.password,
            self.mechanism
        )
    }

    fn wrong_certificate(&self, broker: &str) -> String {
        let ca = match self.ca.is_given() {
            true => format!("{} must hold the authority that signed it", self.ca),
            false => "set `ssl.ca.location` to the PEM file of the authority that signed it \
                      (without it the system's authorities are trusted)"
                .to_owned(),
        };
        let endpoint = match self.endpoint.value().eq_ignore_ascii_case("none") {
            true => String::new(),
            false => {
                ", and it must be issued for the name in `bootstrap` and in the broker's \
                 `advertised.listeners`"
            }
            .to_owned(),
        };
        format!("the certificate of {broker} is not trusted: {ca}{endpoint}")
    }

    fn unwelcome_certificate(&self, broker: &str, lower: &str) -> String {
        if !self.certificate.is_given() || lower.contains("certificate required") {
            return format!(
                "{broker} asks for a client's certificate: set `ssl.certificate.location` and \
                 `ssl.key.location` to PEM files"
            );
        }
        format!(
            "{broker} does not trust this client's certificate: check {} and {}",
            self.certificate, self.key
        )
    }

    fn no_tls_there(&self, broker: &str) -> String {
        format!(
            "{broker} does not speak TLS: it wants {} without `SSL`, or you want the port of \
             another listener (`bootstrap`)",
            self.protocol
        )
    }

    fn tls_there(&self, broker: &str) -> String {
        format!(
            "{broker} speaks TLS: set `security.protocol` to SASL_SSL (with a user) or SSL; it is \
             {}",
            self.protocol
        )
    }

    fn password_wanted(&self, broker: &str) -> String {
        let wanted = if self.is_tls() { "SASL_SSL" } else { "SASL_PLAINTEXT or SASL_SSL" };
        format!(
            "{broker} closes the connection, as one does that wants a password: set \
             `security.protocol` to {wanted}, with `sasl.mechanism`, `sasl.username` and \
             `sasl.password`; it is {}",
            self.protocol
        )
    }

    fn closed(&self, broker: &str) -> String {
        format!("{broker} closes the connection; look at {} and at the broker's log", self.protocol)
    }

    fn unreachable(&self, broker: &str, code: Option<RDKafkaErrorCode>, reason: &str) -> String {
        if code == Some(RDKafkaErrorCode::Resolve) {
            return format!("the name of {broker} cannot be resolved; see `bootstrap`");
        }
        match reason.split_once("failed: ").filter(|_| reason.contains("Connect to")) {
            Some((_, why)) => {
                let why = why.split(" (after").next().unwrap_or(why).to_ascii_lowercase();
                format!("{broker} cannot be reached ({why})")
            }
            None => format!("no broker of {} can be reached", self.bootstrap),
        }
    }
}

/// Was it closed within two seconds, `(after 3ms in state UP)`? Then it was the first request.
fn is_short(reason: &str) -> bool {
    let after = reason.rsplit_once("(after ").and_then(|(_, rest)| rest.split_once("ms"));
    after.and_then(|(ms, _)| ms.parse::<u64>().ok()).is_some_and(|ms| ms < 2000)
}
