//! `cargo xtask secured`: the binary, built with TLS, against Apache Kafka as in production.
//! Every way in, every refusal, and the whole shop with the rights that the guide says it needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::clients::apt_install;
use crate::kafka::{self, Kafka, Secured};
use crate::{Outcome, place, tidings};

mod rows;
mod run;

use rows::Row;
use run::Ran;

/// What Debian calls what is needed, and how to ask whether it is there.
const TOOLS: [(&str, &str, &str); 4] = [
    ("java", "-version", "openjdk-17-jre-headless"),
    ("mvn", "-version", "maven"),
    ("openssl", "version", "openssl"),
    ("perl", "-v", "perl"),
];

/// Orders of the whole shop: enough for all five services to meet each other's events.
const ORDERS: &str = "500";

/// Two cores: a third one starts while the first waits for an answer that does not come.
const AT_ONCE: usize = 4;

/// `cargo xtask secured`.
pub(crate) fn command(words: &[String]) -> Outcome {
    let mut only = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--only" => only = Some(words.next().ok_or("--only needs a word")?.clone()),
            other => return Err(format!("`secured` does not know {other}").into()),
        }
    }
    for (tool, probe, package) in TOOLS {
        if kafka::need(tool, probe, package).is_err() {
            apt_install(package)?;
        }
        kafka::need(tool, probe, package)?;
    }
    let binary = build()?;
    let options = kafka::Options { secured: true, ..Default::default() };
    let mut kafka = Kafka::start(&options)?;
    let secured = kafka.secured().ok_or("Kafka was started without its listeners")?.clone();
    let directory = tidings::fresh_dir("secured")?;
    let bench = Bench { binary, bootstrap: kafka.bootstrap(), secured, directory };
    let outcome = bench.run(only.as_deref());
    kafka.stop()?;
    outcome
}

/// The dev profile: TLS is in C, which is optimised anyway. The copy stays when something else
/// builds the binary without TLS.
fn build() -> Outcome<PathBuf> {
    if let Some(built) = std::env::var_os("XTASK_TIDINGS_TLS") {
        return Ok(built.into());
    }
    let began = Instant::now();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(place::root());
    cargo.args(["build", "--locked", "--package", "tidings-cli", "--features", "tls"]);
    if !cargo.status()?.success() {
        return Err("the binary `tidings` does not build with the feature `tls`".into());
    }
    println!("built with TLS in {} s", began.elapsed().as_secs());
    let copy = place::target().join("tidings-tls");
    std::fs::copy(place::target().join("debug/tidings"), &copy)?;
    Ok(copy)
}

/// What every row runs with.
pub(crate) struct Bench {
    binary: PathBuf,
    /// The plaintext listener on loopback, whose clients may do everything.
    bootstrap: String,
    secured: Secured,
    directory: PathBuf,
}

impl Bench {
    fn run(&self, only: Option<&str>) -> Outcome {
        let is_wanted = |name: &str| only.is_none_or(|word| name.contains(word));
        self.prepare()?;
        self.matrix(rows::all(self).into_iter().filter(|row| is_wanted(&row.name)).collect())?;
        if is_wanted("shop") {
            self.shop()?;
        }
        if is_wanted(rows::MAY_NOT_WRITE) {
            // Nobody else handles this order: the sums of the shop would not agree.
            let data =
                r#"{"order_id":1,"customer":1,"bought_on":"1997-01-01","cds":1,"total_cents":1}"#;
            self.publish("com.example.order.placed.v1", data)?;
            self.matrix(vec![rows::may_not_write(self)])?;
        }
        Ok(())
    }

    fn matrix(&self, rows: Vec<Row>) -> Outcome {
        let began = Instant::now();
        let mut wrong = 0;
        for some in rows.chunks(AT_ONCE) {
            let answers: Vec<_> = std::thread::scope(|scope| {
                let one = |row| scope.spawn(move || self.row(row));
                let running: Vec<_> = some.iter().map(one).collect();
                running.into_iter().map(|row| row.join()).collect()
            });
            for (row, answer) in some.iter().zip(answers) {
                let answer = answer.unwrap_or_else(|_| Err("it panicked".into()));
                wrong += usize::from(!row.report(answer));
            }
        }
        println!("{} rows in {} s", rows.len(), began.elapsed().as_secs());
        if wrong > 0 {
            return Err(format!("{wrong} of {} rows are wrong", rows.len()).into());
        }
        Ok(())
    }

    /// The topics, with an event in them for those who may not read it.
    fn prepare(&self) -> Outcome {
        for topic in ["orders", "payments", "stock", "parcels", "notices"] {
            let made = self.admin(&["topic", "create", topic, "--partitions", "4"])?;
            made.expect(0, &[])?;
        }
        self.publish("com.example.greeting.v1", "{}")
    }

    fn publish(&self, ty: &str, data: &str) -> Outcome {
        let said = ["event", "publish", "orders", "--type", ty, "--key", "1", "--data", data];
        self.admin(&said)?.expect(0, &[])
    }

    fn admin(&self, words: &[&str]) -> Outcome<Ran> {
        let mut command = Command::new(&self.binary);
        command.args(words).args(["--bootstrap", &self.bootstrap]);
        run::finish(&mut command, &self.directory, Duration::from_secs(60))
    }

    fn row(&self, row: &Row) -> Outcome<Ran> {
        let directory = self.directory.join(row.name.replace([' ', ',', ':'], "-"));
        std::fs::create_dir_all(&directory)?;
        row.run(&self.binary, &directory)
    }

    /// All five services and the command, as a user that may do what the guide's table says, with
    /// the settings in a file.
    fn shop(&self) -> Outcome {
        let directory = self.directory.join("shop");
        std::fs::create_dir_all(&directory)?;
        let file = format!(
            "[kafka]\nsecurity.protocol = \"SASL_SSL\"\nsasl.mechanism = \"SCRAM-SHA-512\"\n\
             sasl.username = \"shop\"\nsasl.password = \"shop-secret\"\nssl.ca.location = \"{}\"\n",
            self.secured.certificates.join("ca.pem").display()
        );
        std::fs::write(directory.join("tidings.toml"), file)?;
        let began = Instant::now();
        let mut command = Command::new(&self.binary);
        command
            .args(["dev", "--demo", "shop", "--orders", ORDERS, "--rate", "max", "--exit"])
            .args(["--bootstrap", &self.secured.bootstrap("SASL_SSL")]);
        let ran = run::finish(&mut command, &directory, Duration::from_secs(120))?;
        ran.expect(0, &["\"duplicate_effects\""])?;
        println!(
            "  ok    the shop, {ORDERS} orders over SASL_SSL, SCRAM-SHA-512 and ACLs, in {:.1} s",
            began.elapsed().as_secs_f32()
        );
        Ok(())
    }
}

/// A command of the row's kind, with nothing of this process's own settings.
fn clean(binary: &Path, directory: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TIDINGS_") {
            command.env_remove(name);
        }
    }
    command.current_dir(directory).stdin(Stdio::null());
    command
}
