//! When a service stops: SIGTERM or Ctrl-C. The first asks for a graceful end, the second one ends
//! the process at once.

use tokio::signal;

/// Done at the first SIGTERM or Ctrl-C. From then on a second one ends the process with the exit
/// code of an interrupted one (130).
pub(crate) async fn signal() {
    next().await;
    tracing::info!("stopping: finishing what runs; a second signal ends at once");
    tokio::spawn(async {
        next().await;
        tracing::warn!("stopped at once by a second signal: running events will run again");
        std::process::exit(130);
    });
}

/// The next signal that asks this process to end.
async fn next() {
    let interrupt = async {
        if signal::ctrl_c().await.is_err() {
            // Without a handler for it Ctrl-C ends the process, which is what it asks for.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        let terminate = async {
            match signal::unix::signal(signal::unix::SignalKind::terminate()) {
                Ok(mut signals) => signals.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interrupt => {}
            _ = terminate => {}
        }
    }
    #[cfg(not(unix))]
    interrupt.await;
}
