//! `faults broker`: the embedded broker with one fault inside, until SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use faults::Outcome;
use tidings_broker::mutants::{self, Mutant};
use tidings_broker::{Broker, Config, Durability};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The fault; without one it is the broker as it is
    #[arg(long, value_parser = mutant)]
    mutant: Option<Mutant>,
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The address that clients are told to connect to
    #[arg(long, value_name = "ADDR")]
    advertise: Option<SocketAddr>,
    #[arg(long, default_value = "process")]
    durability: Durability,
}

/// Parses a mutant's name.
pub(super) fn mutant(text: &str) -> Result<Mutant, String> {
    let names = || Mutant::ALL.map(Mutant::name).join(", ");
    Mutant::ALL
        .into_iter()
        .find(|mutant| mutant.name() == text)
        .ok_or_else(|| format!("no mutant is called so; there are {}", names()))
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if let Some(mutant) = arguments.mutant {
        mutants::switch_on(mutant);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut config = Config::at(&arguments.data);
        config.listen = arguments.listen;
        config.durability = arguments.durability;
        config.advertise = arguments.advertise.map(|to| (to.ip().to_string(), to.port()));
        let mut terminate = signal(SignalKind::terminate())?;
        let broker = Broker::start(config).await?;
        println!("listening {}", broker.bootstrap());
        terminate.recv().await;
        Ok(broker.shutdown().await?)
    })
}
