//! `tidings dev`: a broker, and the demo shop, in one terminal. The broker runs in this process,
//! each of the shop's services as a child of it, supervised: whichever is killed is started again.

mod banner;
mod child;
mod meter;
mod place;
mod scrape;
mod screen;
mod settle;
mod shop_run;
mod sources;
mod supervisor;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use tidings_broker::{Broker, Config, Durability};

use crate::broker::start;
use crate::cli::Global;
use crate::failure::{Failure, causes};
use crate::output::{self, Screen};
use crate::{runtime, settings, signals};

/// Flags of `tidings dev`.
#[derive(Debug, clap::Args)]
pub struct DevArgs {
    /// The directory for topics, offsets and the demo's databases; without it they are lost at exit
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the broker listens; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = start::USUAL, value_parser = start::address)]
    listen: SocketAddr,
    /// Run the demo
    #[arg(long, value_name = "NAME")]
    demo: Option<Demo>,
    /// Orders per second, or max
    #[arg(long, value_name = "N|max", requires = "demo", default_value_t)]
    rate: shop::Rate,
    /// How many orders are placed in all [default: the whole sample]
    #[arg(long, value_name = "N", requires = "demo")]
    orders: Option<u32>,
    /// What keeps effects and events together: `sqlite`, `postgres://USER:PASSWORD@HOST/NAME`, or
    /// `none`, where effects may be made twice
    #[arg(long, value_name = "STORE", requires = "demo", default_value_t)]
    store: shop::StoreKind,
    /// The demo's bank is away for so many seconds, from the 100th order on
    #[arg(long, value_name = "SECONDS", requires = "demo")]
    bank_down: Option<u64>,
    /// The demo's bank cannot read the cards of a few customers: their orders are parked
    #[arg(long, requires = "demo")]
    bank_poison: bool,
    /// Run without a terminal and end when every order is in a final state, with one line of JSON
    #[arg(long, requires = "demo")]
    exit: bool,
}

/// The demos that are built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Demo {
    /// A music shop of five services.
    Shop,
}

/// Where this run's services find their broker, and who keeps it running.
struct Ground {
    /// `HOST:PORT` for clients.
    bootstrap: String,
    /// The broker of this process; `None` with `--bootstrap`.
    broker: Option<Broker>,
    /// When the command began.
    began: Instant,
}

/// Runs until it is told to stop, or with `--exit` until the demo is through.
pub fn run(args: &DevArgs, global: &Global, screen: &Screen) -> Result<(), Failure> {
    let began = Instant::now();
    if global.bootstrap.is_some() && args.demo.is_none() {
        return Err(Failure::usage("with --bootstrap there is no broker to run")
            .help("add the demo:  tidings dev --bootstrap HOST:PORT --demo shop"));
    }
    runtime::serve(dev(args, global, screen, began))?
}

async fn dev(
    args: &DevArgs,
    global: &Global,
    screen: &Screen,
    began: Instant,
) -> Result<(), Failure> {
    let stop = signals::Stop::listen()?;
    let ground = Ground::lay(args, global, began).await?;
    let outcome = match args.demo {
        Some(Demo::Shop) => shop_run::run(args, global, screen, &ground, stop).await,
        None => {
            output::print(&banner::plain(args, &ground, screen))?;
            stop.wait().await;
            Ok(())
        }
    };
    let closed = ground.clear().await;
    outcome.and(closed)
}

impl Ground {
    async fn lay(args: &DevArgs, global: &Global, began: Instant) -> Result<Self, Failure> {
        if global.bootstrap.is_some() {
            let bootstrap = settings::load(global)?.bootstrap().to_owned();
            return Ok(Self { bootstrap, broker: None, began });
        }
        let mut config = match &args.data {
            Some(directory) => Config::at(directory),
            None => Config::memory(),
        };
        if args.data.is_none() {
            config.durability = Durability::Process;
        }
        config.listen = args.listen;
        let broker = start::start(config, "tidings dev").await?;
        Ok(Self { bootstrap: broker.bootstrap(), broker: Some(broker), began })
    }

    async fn clear(self) -> Result<(), Failure> {
        match self.broker {
            Some(broker) => broker.shutdown().await.map_err(|error| Failure::new(causes(&error))),
            None => Ok(()),
        }
    }
}
