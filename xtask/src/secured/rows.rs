//! The matrix: listener and settings, what is asked, and how it ends.

use std::path::Path;
use std::time::Duration;

use super::run::{self, Ran};
use super::{Bench, clean};
use crate::Outcome;

/// A refusal needs two seconds, a wrong protocol four; other rows run beside it.
const LIMIT: Duration = Duration::from_secs(60);

/// What is run.
pub(super) enum Ask {
    /// A command of these words; settings come as flags.
    Command(Vec<&'static str>),
    /// A service of the shop; settings come by the environment.
    Service(&'static str),
    /// The same, in the place of an instance of this name that ran before.
    Successor(&'static str),
}

/// One case.
pub(super) struct Row {
    pub(super) name: String,
    ask: Ask,
    bootstrap: String,
    settings: Vec<(&'static str, String)>,
    code: i32,
    says: Vec<String>,
}

impl Row {
    pub(super) fn run(&self, binary: &Path, directory: &Path) -> Outcome<Ran> {
        let mut command = clean(binary, directory);
        match &self.ask {
            Ask::Command(words) => {
                command.args(words).args(["--bootstrap", &self.bootstrap]);
                for (name, value) in &self.settings {
                    command.args(["-X", &format!("{name}={value}")]);
                }
                run::finish(&mut command, directory, LIMIT)
            }
            Ask::Service(name) | Ask::Successor(name) => {
                command.args(["shop-service", name]);
                if let Ask::Successor(name) = self.ask {
                    command.env("TIDINGS_INSTANCE", name);
                }
                command.env("TIDINGS_BOOTSTRAP", &self.bootstrap).env("SHOP_DATA_DIR", directory);
                // With a store it would go on without the right to publish: rows wait for it.
                command.env("SHOP_STORE", "none");
                for (name, value) in &self.settings {
                    let name = name.replace('.', "_").to_ascii_uppercase();
                    command.env(format!("TIDINGS_KAFKA_{name}"), value);
                }
                let wanted = self.says.first().filter(|_| self.code == 0).cloned();
                run::until(&mut command, directory, LIMIT, |said| {
                    wanted.as_ref().is_some_and(|wanted| said.contains(wanted))
                })
            }
        }
    }

    /// Prints how it went; whether it went as it should.
    pub(super) fn report(&self, answer: Outcome<Ran>) -> bool {
        let parts: Vec<&str> = self.says.iter().map(String::as_str).collect();
        let checked = answer.and_then(|ran| ran.expect(self.code, &parts).map(|()| ran));
        match checked {
            Ok(ran) => {
                println!("  ok    {} ({:.1} s)", self.name, ran.took.as_secs_f32());
                true
            }
            Err(error) => {
                println!("  WRONG {}: {error}", self.name);
                false
            }
        }
    }
}

/// Who comes, how, and what is said to them; asked once by the command and once by a service.
struct Refused {
    name: &'static str,
    listener: &'static str,
    settings: Vec<(&'static str, String)>,
    code: i32,
    says: Vec<&'static str>,
}

/// All rows.
pub(super) fn all(bench: &Bench) -> Vec<Row> {
    let mut rows = welcome(bench);
    for refused in refusals(bench) {
        for (kind, ask) in [
            ("command", Ask::Command(vec!["topic", "ls"])),
            ("service", Ask::Service("notifications")),
        ] {
            let origin =
                if kind == "command" { "(flag -X)" } else { "(environment TIDINGS_KAFKA_" };
            rows.push(Row {
                name: format!("{}: {kind}", refused.name),
                ask,
                bootstrap: match refused.listener {
                    "PLAINTEXT" => bench.bootstrap.clone(),
                    listener => bench.secured.bootstrap(listener),
                },
                settings: refused.settings.clone(),
                code: refused.code,
                says: refused.says.iter().map(|part| part.replace("(ORIGIN", origin)).collect(),
            });
        }
    }
    rows.extend(rights(bench));
    rows
}

fn scram(bench: &Bench, user: &str) -> Vec<(&'static str, String)> {
    password(bench, "SASL_SSL", "SCRAM-SHA-512", user, &format!("{user}-secret"))
}

fn password(
    bench: &Bench,
    protocol: &str,
    mechanism: &str,
    user: &str,
    password: &str,
) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("security.protocol", protocol.to_owned()),
        ("sasl.mechanism", mechanism.to_owned()),
        ("sasl.username", user.to_owned()),
        ("sasl.password", password.to_owned()),
    ];
    if protocol.ends_with("SSL") {
        settings.push(("ssl.ca.location", file(bench, "ca.pem")));
    }
    settings
}

fn certificate(bench: &Bench, name: &str, key: &str) -> Vec<(&'static str, String)> {
    let mut settings =
        vec![("security.protocol", "SSL".to_owned()), ("ssl.ca.location", file(bench, "ca.pem"))];
    if !name.is_empty() {
        settings.push(("ssl.certificate.location", file(bench, &format!("{name}.pem"))));
        settings.push(("ssl.key.location", file(bench, key)));
    }
    if key.contains("encrypted") {
        settings.push(("ssl.key.password", "alice-key-secret".to_owned()));
    }
    settings
}

fn file(bench: &Bench, name: &str) -> String {
    bench.secured.certificates.join(name).display().to_string()
}

/// The same settings with another value.
fn with(
    mut settings: Vec<(&'static str, String)>,
    name: &'static str,
    value: String,
) -> Vec<(&'static str, String)> {
    settings.retain(|(known, _)| *known != name);
    settings.push((name, value));
    settings
}

/// Every way in, by the command and by a service that gets as far as its group.
fn welcome(bench: &Bench) -> Vec<Row> {
    let mut ways = Vec::new();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for protocol in ["SASL_SSL", "SASL_PLAINTEXT"] {
            // There it is not offered.
            if (mechanism, protocol) == ("SCRAM-SHA-256", "SASL_PLAINTEXT") {
                continue;
            }
            let settings = password(bench, protocol, mechanism, "alice", "alice-secret");
            ways.push((format!("{protocol} with {mechanism}"), protocol, settings));
        }
    }
    let key = certificate(bench, "alice", "alice.key");
    ways.push(("a client's certificate".to_owned(), "MTLS", key));
    let key = certificate(bench, "alice", "alice.encrypted.key");
    ways.push(("a client's certificate, its key encrypted".to_owned(), "MTLS", key));
    let mut rows = Vec::new();
    for (name, listener, settings) in ways {
        let publish = [
            "event",
            "publish",
            "notices",
            "--type",
            "com.example.greeting.v1",
            "--data",
            "{}",
            "--json",
        ];
        for (kind, ask, says) in [
            ("command", Ask::Command(publish.to_vec()), "\"offset\""),
            ("service", Ask::Service("notifications"), "running service"),
        ] {
            rows.push(Row {
                name: format!("{name}: {kind}"),
                ask,
                bootstrap: bench.secured.bootstrap(listener),
                settings: settings.clone(),
                code: 0,
                says: vec![says.to_owned()],
            });
        }
    }
    rows
}

/// Who is not let in.
fn refusals(bench: &Bench) -> Vec<Refused> {
    [unknown(bench), untrusted(bench), misspoken(bench)].into_iter().flatten().collect()
}

fn refused(
    name: &'static str,
    listener: &'static str,
    settings: Vec<(&'static str, String)>,
    code: i32,
    says: &[&'static str],
) -> Refused {
    Refused { name, listener, settings, code, says: says.to_vec() }
}

/// By a wrong password, or in a way that is not offered.
fn unknown(bench: &Bench) -> Vec<Refused> {
    let wrong = |mechanism| password(bench, "SASL_SSL", mechanism, "alice", "wrong");
    let user = "refuses the user `alice`: check `sasl.username = alice` (ORIGIN";
    vec![
        refused(
            "wrong password, SCRAM",
            "SASL_SSL",
            wrong("SCRAM-SHA-512"),
            4,
            &[user, "and `sasl.password` (ORIGIN"],
        ),
        refused(
            "wrong password, PLAIN",
            "SASL_SSL",
            wrong("PLAIN"),
            4,
            &[user, "and `sasl.password` (ORIGIN"],
        ),
        refused(
            "a mechanism that is not offered",
            "SASL_PLAINTEXT",
            password(bench, "SASL_PLAINTEXT", "SCRAM-SHA-256", "alice", "alice-secret"),
            4,
            &["`sasl.mechanism = SCRAM-SHA-256` (ORIGIN", "it offers ", "PLAIN", "SCRAM-SHA-512"],
        ),
    ]
}

/// By a certificate of either side.
fn untrusted(bench: &Bench) -> Vec<Refused> {
    let good = || scram(bench, "alice");
    vec![
        refused(
            "wrong authority",
            "SASL_SSL",
            with(good(), "ssl.ca.location", file(bench, "stranger-ca.pem")),
            4,
            &["(CN=server, issued by CN=ca) is not trusted", "`ssl.ca.location = ", "(ORIGIN"],
        ),
        refused(
            "an old certificate",
            "EXPIRED",
            good(),
            4,
            &["(CN=expired, issued by CN=ca) was valid until ", "the broker needs a new one"],
        ),
        refused(
            "a certificate for another name",
            "ELSEWHERE",
            good(),
            4,
            &[
                "(CN=elsewhere, issued by CN=ca) is for kafka.elsewhere.example and not for",
                "`advertised.listeners`",
            ],
        ),
        refused(
            "no certificate of the client's",
            "MTLS",
            certificate(bench, "", ""),
            4,
            &["asks for a client's certificate: set `ssl.certificate.location`"],
        ),
        refused(
            "a client's certificate of another authority",
            "MTLS",
            certificate(bench, "mallory", "mallory.key"),
            4,
            &["does not trust this client's certificate: check `ssl.certificate.location = "],
        ),
    ]
}

/// By another protocol than the listener's.
fn misspoken(bench: &Bench) -> Vec<Refused> {
    vec![
        refused(
            "plaintext where TLS is spoken",
            "SASL_SSL",
            Vec::new(),
            1,
            &["speaks TLS: set `security.protocol` to SASL_SSL"],
        ),
        refused(
            "TLS where plaintext is spoken",
            "PLAINTEXT",
            scram(bench, "alice"),
            1,
            &["does not speak TLS: it wants `security.protocol = SASL_SSL` (ORIGIN"],
        ),
        refused(
            "no password where one is wanted",
            "SASL_PLAINTEXT",
            Vec::new(),
            1,
            &["wants a password: set `security.protocol` to SASL_PLAINTEXT or SASL_SSL"],
        ),
        refused(
            "TLS without a password where one is wanted",
            "SASL_SSL",
            certificate(bench, "", ""),
            1,
            &["wants a password: set `security.protocol` to SASL_SSL"],
        ),
    ]
}

/// The name of the row that [`may_not_write`] makes.
pub(super) const MAY_NOT_WRITE: &str = "may not write: service";

/// A service that may read an order and not publish that it was paid. It goes on trying: whoever is
/// given the right need not start it again.
pub(super) fn may_not_write(bench: &Bench) -> Row {
    let says = [
        "to write to the topic payments",
        "--allow-principal User:no-write --operation Write --topic payments",
    ];
    Row {
        name: MAY_NOT_WRITE.to_owned(),
        ask: Ask::Successor("payments"),
        bootstrap: bench.secured.bootstrap("SASL_SSL"),
        settings: scram(bench, "no-write"),
        code: 0,
        says: says.map(str::to_owned).to_vec(),
    }
}

/// Who is let in, and may not do this.
fn rights(bench: &Bench) -> Vec<Row> {
    let row = |name, user, ask, code, says| right(bench, name, user, ask, code, says);
    let publish = vec!["event", "publish", "orders", "--type", "a.b.v1", "--data", "1"];
    let tail = vec!["event", "tail", "orders", "--until-end"];
    let create = vec!["topic", "create", "new"];
    let ask = Ask::Command;
    vec![
        row(
            "may not write: command",
            "no-write",
            ask(publish),
            4,
            &[
                "does not allow the user `no-write` (sasl.username) to write to the topic orders",
                "--allow-principal User:no-write --operation Write --topic orders",
            ],
        ),
        row(
            "may not read: command",
            "no-read",
            ask(tail),
            4,
            &["--allow-principal User:no-read --operation Read --topic orders"],
        ),
        row(
            "may not read: service",
            "no-read",
            Ask::Service("shipping"),
            4,
            &["--allow-principal User:no-read --operation Read --topic stock"],
        ),
        row(
            "may not see the group: command",
            "no-group",
            ask(vec!["group", "show", "orders"]),
            4,
            &["--allow-principal User:no-group --operation Describe --group orders"],
        ),
        row(
            "may not be in the group: service",
            "no-group",
            Ask::Service("inventory"),
            4,
            &["--allow-principal User:no-group --operation Read --group inventory"],
        ),
        row(
            "may not see the topic: command",
            "stranger",
            ask(vec!["topic", "show", "orders"]),
            4,
            &["--allow-principal User:stranger --operation Describe --topic orders"],
        ),
        row(
            "may not see the topic: service",
            "stranger",
            Ask::Service("orders"),
            4,
            &["--allow-principal User:stranger --operation Describe --topic orders"],
        ),
        row(
            "may not create the topic: command",
            "no-read",
            ask(create),
            4,
            &["--allow-principal User:no-read --operation Create --topic new"],
        ),
    ]
}

fn right(bench: &Bench, name: &str, user: &str, ask: Ask, code: i32, says: &[&str]) -> Row {
    Row {
        name: name.to_owned(),
        ask,
        bootstrap: bench.secured.bootstrap("SASL_SSL"),
        settings: scram(bench, user),
        code,
        says: says.iter().map(|part| (*part).to_owned()).collect(),
    }
}
