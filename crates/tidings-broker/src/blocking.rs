//! Work that waits for the disk runs on threads made for waiting.

use std::panic::resume_unwind;

/// Runs `work` on a thread that may block. It runs to its end even if the caller gives up.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is shutting down: nobody will see the result of waiting either.
            Err(_) => std::future::pending().await,
        },
    }
}
