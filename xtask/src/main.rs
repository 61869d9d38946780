//! The project's own chores, run as `cargo xtask NAME`.
#![allow(clippy::print_stdout, reason = "a chore talks to the person who started it")]

mod bench;
mod clients;
mod crash;
mod debezium;
mod faults;
mod fuzz;
mod kafka;
mod load;
mod maven;
mod oracle;
mod place;
mod postgres;
mod process;
mod recipes;
mod release;
mod secured;
mod shop_kills;
mod stores;
mod storm;
mod tidings;
mod tidy;

use std::process::ExitCode;

/// What every chore returns: a sentence for a person is all that an error has to be here.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy      check the house's rules: arrows between crates, budgets, words, links
  kafka [--heap-mb N] [--set NAME=VALUE]... [--secured] [--until-stdin-closes]
            install Apache Kafka from Maven Central, run one node on loopback,
            print `listening HOST:PORT`; Ctrl-C or SIGTERM stops it;
            --secured: with TLS, SASL and ACLs beside, their listeners and users printed too
  postgres [--until-stdin-closes]
            install PostgreSQL from Debian's package, run an empty one on loopback, print
            `listening HOST:PORT` and `url URL`; Ctrl-C or SIGTERM stops it and removes its data
  stores [--kafka] [--only WORD]
            run the tests that need a PostgreSQL on one of their own: those that are ignored and
            have `postgres` in their path, or WORD instead; fails when none ran
  debezium  run Debezium's outbox router, from Maven Central, on the outbox of a PostgreSQL of its
            own, with the properties of docs/guides/outbox-with-debezium.md: every row inserted
            arrives once, in the order of its key; fails when anything is missing or differs
  clients [--bootstrap HOST:PORT | --kafka] [--release] [--only WORD]... [--client NAME]...
            install kcat, confluent-kafka and kafka-python and run the client suite and the
            recipes against `tidings broker`; --kafka: the suite against Apache Kafka;
            --recipes: the recipes alone
  secured [--only WORD]
            build the binary with TLS and run it, its services and the whole shop against a
            secured Apache Kafka: every way in, every refusal by its text and exit code
  oracle [--release] [--write-docs] [--orders N] [--only STAGE]
            install Apache Kafka, Java and the clients, and run on the embedded broker and on
            Apache Kafka: the library's and the broker's tests, the client suites, Kafka's own
            client and tools, the shop; fails when docs/compatibility.md says something else
  crash [--release] [--mib N]
            kill -9 of `tidings broker` under load with 1 GiB of data: time until it serves
            again, nothing lost, doubled or reordered, `broker check` agrees
  shop-kills [--kafka] [--store sqlite|postgres|none] [--kills N] [--broker-kills N] [--rate N]
            [--seed N] [--release]
            kill -9 of the shop's services (60) and of the broker (12; Apache Kafka 3) while
            orders are on their way: every order final, sums true, `broker check` clean, no effect
            twice unless --store is none; --store postgres: on a PostgreSQL of its own
  storm [--kafka] [--protocol eager|cooperative|static]... [--seconds N] [--seed N] [--release]
            20 members of a group join, leave and die over 24 partitions; their histories are
            judged: nothing lost, no commit by the wrong owner, order per key, settled soon after
  faults r1 [--cycles N] [--seed N] [--kafka]
            idempotent producers and a group while the broker is killed N times (100), half of
            them at `power`, half at `process`; then the history is checked
  faults r10 [--faults N] [--cycles N] [--seed N] [--kafka]
            the same through a proxy that drops, cuts and delays until it did N faults (1000)
  faults mutants [--seed N] [--mutant NAME]
            prove the checker: brokers with a bug switched in, each of which it has to find
  bench [ROW...] [--quick] [--pairs N] [--resume] [--write] [--json FILE]
            the rows of docs/benchmarks.md as ratios of both sides in one run; --resume takes what
            an earlier run has measured already, --write puts the tables into the page
  disk [--calls N] [--cycles N]
            failing and full disks under the release binary, by strace and a small tmpfs (root)
  fuzz [--seconds N | --total N] [--jobs N] [--seed N] [TARGET]...
            libFuzzer over every decoder and file (fuzz/), N seconds for each target or in all
  hostile [--idle N] [--busy N] [--seconds N]
            oversized requests, decompression bombs, a crowd of connections, slow readers
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match words.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match command {
        "bench" => bench::command(rest),
        "clients" => clients::command(rest),
        "crash" => crash::command(rest),
        "debezium" => debezium::command(rest),
        "disk" => release::disk(rest),
        "fuzz" => fuzz::command(rest),
        "hostile" => release::hostile(rest),
        "faults" => faults::command(rest),
        "kafka" => kafka::command(rest),
        "postgres" => postgres::command(rest),
        "secured" => secured::command(rest),
        "shop-kills" => shop_kills::command(rest),
        "stores" => stores::command(rest),
        "storm" => storm::command(rest),
        "oracle" => oracle::command(rest),
        "tidy" => tidy::command(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprint!("error: no chore is called `{other}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
