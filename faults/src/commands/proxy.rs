//! `faults proxy`: the proxy alone, between any client and any broker that advertises it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use faults::Outcome;
use faults::proxy::{Fault, Proxy, Rule, Rules};

/// How often it tells what it has done.
const TELL_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where clients connect to; the broker has to advertise this address
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Where the broker listens
    #[arg(long, value_name = "ADDR")]
    broker: SocketAddr,
    #[command(flatten)]
    rules: RuleArguments,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct RuleArguments {
    /// What happens how often: `produce:drop=0.05`, `*:delay=0.1`, `1:cut=0.01`; the faults are
    /// drop, cut, cut-request, delay and late
    #[arg(long = "rule", value_name = "KEY:FAULT=SHARE")]
    rules: Vec<Rule>,
    /// The longest delay, in milliseconds
    #[arg(long, default_value_t = 20)]
    delay_ms: u64,
}

impl RuleArguments {
    pub(crate) fn rules(&self) -> Rules {
        Rules { rules: self.rules.clone(), delay_ms: self.delay_ms }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let rules = arguments.rules.rules();
    let proxy = Proxy::start(arguments.listen, arguments.broker, rules, arguments.seed)?;
    println!("listening {} (seed {})", proxy.addr(), arguments.seed);
    loop {
        std::thread::sleep(TELL_EVERY);
        let told = Fault::ALL.map(|fault| format!("{} {}", fault.name(), proxy.counts().of(fault)));
        println!("{}", told.join(", "));
    }
}
