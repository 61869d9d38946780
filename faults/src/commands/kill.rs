//! `faults kill`: a broker that is killed and started again, for whatever works on it meanwhile.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use clap::Args;
use faults::Outcome;
use faults::kill::{Schedule, Victim};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How long the broker lives until a kill, in milliseconds
    #[arg(long, value_name = "FROM..TO", default_value = "50..2000", value_parser = super::millis)]
    kill_ms: Range<u64>,
    /// How many kills; then it is stopped by SIGTERM
    #[arg(long, default_value_t = 10)]
    cycles: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the broker listens
    #[arg(long, value_name = "ADDR")]
    broker: SocketAddr,
    /// Where the broker's words go
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// The broker's command line
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let (command, log) = (arguments.command.clone(), arguments.log.clone());
    let mut victim = Victim::new(command, arguments.broker, log);
    let mut schedule = Schedule::new(arguments.seed, arguments.kill_ms.clone());
    println!("seed {}: ready after {:?}", arguments.seed, victim.start()?);
    for cycle in 1..=arguments.cycles {
        let life = schedule.next_life();
        std::thread::sleep(life);
        victim.kill()?;
        println!("{cycle}: killed after {life:?}, ready after {:?}", victim.start()?);
    }
    victim.stop()
}
