//! `tidings broker`: the embedded broker alone, until it is told to stop.

mod check;
mod open_files;
pub mod start;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;
use tidings_broker::{Config, Durability};

use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::{runtime, signals};

/// Flags of `tidings broker`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BrokerArgs {
    #[command(subcommand)]
    command: Option<BrokerCommand>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// How the broker serves.
#[derive(Debug, Clone, clap::Args)]
struct ServeArgs {
    /// The directory for topics and offsets; without it they are kept in memory and lost at the end
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = start::USUAL, value_parser = start::address)]
    listen: SocketAddr,
    /// The address that clients are told to connect to, if it is not the one listened on
    #[arg(long, value_name = "HOST:PORT", value_parser = start::host_and_port)]
    advertise: Option<(String, u16)>,
    /// What an acknowledged write survives: `power` (a power failure), `process` (kill -9)
    /// [default: power with --data]
    #[arg(long, value_name = "power|process")]
    durability: Option<Durability>,
    /// Listen on an address that other machines reach: there is no access control
    #[arg(long)]
    danger_open_listener: bool,
}

/// The commands on a broker's files.
#[derive(Debug, Subcommand)]
enum BrokerCommand {
    /// Verify every file of a data directory, and change nothing
    Check(check::CheckArgs),
}

/// Runs the broker, or one of its commands.
pub fn run(args: &BrokerArgs, screen: &Screen) -> Result<(), Failure> {
    match &args.command {
        Some(BrokerCommand::Check(check)) => check::run(check, screen),
        None => runtime::serve(serve(&args.serve))?,
    }
}

async fn serve(args: &ServeArgs) -> Result<(), Failure> {
    tidings::telemetry::init();
    let mut config = match &args.data {
        Some(directory) => Config::at(directory),
        None => Config::memory(),
    };
    config.listen = args.listen;
    config.advertise = args.advertise.clone();
    config.danger_open_listener = args.danger_open_listener;
    if let Some(durability) = args.durability {
        config.durability = durability;
    }
    config.max_connections = open_files::connections();
    // Before the address is printed: whoever reads it may send the signal at once.
    let stop = signals::Stop::listen()?;
    let broker = start::start(config, "tidings broker").await?;
    output::line(&format!("listening {}", broker.bootstrap()))?;
    stop.wait().await;
    broker.shutdown().await.map_err(|error| Failure::new(crate::failure::causes(&error)))
}
