//! `tidings shop-service NAME`: one service of the demo, as a process of its own. `tidings dev`
//! starts it; what it needs to know stands in the environment.

use std::io::Read;

use crate::failure::{Exit, Failure, causes};
use crate::runtime;

/// Flags of `tidings shop-service`.
#[derive(Debug, clap::Args)]
pub struct ShopServiceArgs {
    /// One of the shop's services
    name: String,
}

/// Runs the service until it is told to stop.
pub fn run(args: &ShopServiceArgs) -> Result<(), Failure> {
    tidings::telemetry::init();
    let env = shop::Env::from_vars(|name| std::env::var(name).ok())
        .map_err(|error| Failure::new(error.to_string()))?;
    stop_with_parent()?;
    runtime::serve(shop::run_service(&args.name, &env))?.map_err(|error| {
        let is_refused = matches!(&error, shop::Error::Tidings(error) if error.is_not_allowed());
        let exit = if is_refused { Exit::NotAllowed } else { Exit::Failed };
        Failure::new(format!("{} cannot go on", args.name)).because(causes(&error)).exit(exit)
    })
}

/// Ends this process like SIGTERM would when its parent is gone, however that came: standard input
/// is a pipe that the parent holds and never writes to, so its end means the parent's.
fn stop_with_parent() -> Result<(), Failure> {
    let watch = || {
        let mut nothing = [0; 64];
        while matches!(std::io::stdin().read(&mut nothing), Ok(read) if read > 0) {}
        // To this very process; a failure would mean that the system knows no SIGTERM.
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM);
    };
    std::thread::Builder::new()
        .name("parent".to_owned())
        .spawn(watch)
        .map(drop)
        .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))
}
