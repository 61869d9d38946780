//! The async runtime for the commands that need one: most of them ask one thing and wait.

use crate::failure::Failure;

/// Runs one future on a small runtime of its own.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the async runtime: {error}")))?;
    Ok(runtime.block_on(future))
}

/// Runs a future on all cores: for what serves or starts others.
pub fn serve<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the async runtime: {error}")))?;
    Ok(runtime.block_on(future))
}
