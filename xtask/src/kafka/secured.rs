//! A Kafka as people run it in production: TLS, passwords in three mechanisms, client certificates,
//! and an authorizer with users who may do little. Certificates are made on the spot, with wrong
//! ones beside the right ones, so that every refusal can be met.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::{Options, java};
use crate::Outcome;

mod certificates;

/// The shop's topics and its services' groups: what its user may use, and nothing else.
const TOPICS: [&str; 5] = ["orders", "payments", "stock", "parcels", "notices"];
/// Where people ask services with a store to act.
const ACTS: &str = "tidings.acts";
const GROUPS: [&str; 5] = ["orders", "payments", "inventory", "shipping", "notifications"];

/// Everyone's password is the name and `-secret`.
const USERS: [&str; 6] = ["alice", "shop", "stranger", "no-write", "no-read", "no-group"];

/// The further listeners, in the order of [`Secured::ports`].
const LISTENERS: [&str; 5] = ["SASL_SSL", "SASL_PLAINTEXT", "MTLS", "EXPIRED", "ELSEWHERE"];

/// Where a secured node is reached, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Secured {
    ports: [u16; LISTENERS.len()],
    /// `ca.pem`, `stranger-ca.pem`, `alice.pem`, `alice.key`, `alice.encrypted.key`.
    pub(crate) certificates: PathBuf,
}

impl Secured {
    /// Makes the certificates and picks ports.
    pub(super) fn prepare(data: &Path) -> Outcome<Self> {
        let certificates = data.join("certificates");
        certificates::make(&certificates)?;
        let held = LISTENERS.map(|_| TcpListener::bind("127.0.0.1:0"));
        let mut ports = [0; LISTENERS.len()];
        for (port, listener) in ports.iter_mut().zip(held) {
            *port = listener?.local_addr()?.port();
        }
        Ok(Self { ports, certificates })
    }

    /// The lines for server.properties.
    pub(super) fn properties(&self, port: u16, controller_port: u16) -> String {
        let listeners: Vec<String> = LISTENERS
            .iter()
            .zip(self.ports)
            .map(|(name, port)| format!("{name}://127.0.0.1:{port}"))
            .collect();
        let mut text = include_str!("../../kafka/secured.properties")
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER_PORT@", &controller_port.to_string())
            .replace("@LISTENERS@", &listeners.join(","))
            .replace("@CERTIFICATES@", &self.certificates.display().to_string());
        let security = "org.apache.kafka.common.security";
        for listener in ["sasl_ssl", "sasl_plaintext", "expired", "elsewhere"] {
            let passwords: Vec<String> =
                USERS.iter().map(|user| format!("user_{user}=\"{user}-secret\"")).collect();
            let before = format!("listener.name.{listener}");
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{before}.plain.sasl.jaas.config={security}.plain.PlainLoginModule required {};",
                passwords.join(" ")
            );
            for mechanism in ["scram-sha-256", "scram-sha-512"] {
                let _ = writeln!(
                    text,
                    "{before}.{mechanism}.sasl.jaas.config={security}.scram.ScramLoginModule \
                     required;"
                );
            }
        }
        text
    }

    /// What `StorageTool format` is told beyond the usual: the users of SCRAM.
    pub(super) fn format_words() -> Vec<String> {
        let mut words = Vec::new();
        for user in USERS {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                words.push("--add-scram".to_owned());
                words.push(format!("{mechanism}=[name={user},password={user}-secret]"));
            }
        }
        words
    }

    /// `HOST:PORT` of a listener by its name in server.properties.
    pub(crate) fn bootstrap(&self, listener: &str) -> String {
        let at = LISTENERS.iter().position(|name| *name == listener);
        let port = at.map_or(0, |at| self.ports[at]);
        format!("127.0.0.1:{port}")
    }

    /// Gives each user what it may do: a JVM per line, so as few lines as can be.
    pub(super) fn allow(jars: &Path, options: &Options, bootstrap: &str) -> Outcome {
        let of = |flag: &'static str, names: &[&str]| -> Vec<String> {
            names.iter().flat_map(|name| [flag.to_owned(), (*name).to_owned()]).collect()
        };
        let topics = of("--topic", &TOPICS);
        let acts = of("--topic", &[ACTS]);
        let groups = of("--group", &GROUPS);
        let everything = ["--topic", "*", "--group", "*", "--cluster"].map(str::to_owned).to_vec();
        let prefixed = ["--resource-pattern-type", "prefixed"].map(str::to_owned).to_vec();
        let lines: [(&[&str], &[&str], Vec<String>); 5] = [
            (&["alice"], &["All"], everything),
            // Dead letters go to `<topic>.<group>.dlq`: the right is on what names begin with.
            (&["shop"], &["Create", "Read", "Write"], [prefixed, topics.clone(), acts].concat()),
            (&["shop", "no-write", "no-read"], &["Read"], groups),
            (&["no-write", "no-group"], &["Read"], topics.clone()),
            (&["no-read"], &["Describe"], topics),
        ];
        for (users, operations, resources) in lines {
            let principals: Vec<String> = users.iter().map(|user| format!("User:{user}")).collect();
            let principals: Vec<&str> = principals.iter().map(String::as_str).collect();
            let output = java(jars, options)
                .arg("org.apache.kafka.tools.AclCommand")
                .args(["--bootstrap-server", bootstrap, "--add"])
                .args(of("--allow-principal", &principals))
                .args(of("--operation", operations))
                .args(resources)
                .output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(format!("Kafka's AclCommand failed: {said}").into());
            }
        }
        Ok(())
    }

    /// What a person needs to know to use it.
    pub(super) fn print(&self) {
        for listener in LISTENERS {
            println!("{listener} {}", self.bootstrap(listener));
        }
        println!("certificates {}", self.certificates.display());
        println!("users {}; each password is NAME-secret", USERS.join(", "));
    }
}
