//! Logs for a program's `main`: the library itself writes `tracing` events and installs nothing.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// What is written when `RUST_LOG` says nothing: our own news, and only trouble of others.
const DEFAULT_FILTER: &str = "info,librdkafka=error,rdkafka=error";

/// Writes logs to standard error, as `TIDINGS_LOG` says: `text` (default) or `json`. `RUST_LOG`
/// filters. Does nothing if the program has a subscriber of its own.
///
/// ```
/// tidings::telemetry::init();
/// tidings::telemetry::init(); // twice does no harm
/// ```
pub fn init() {
    let json = std::env::var("TIDINGS_LOG").is_ok_and(|v| v.eq_ignore_ascii_case("json"));
    init_with(if json { LogFormat::Json } else { LogFormat::Text });
}

/// The same with the format from elsewhere, such as
/// [`Settings::log`](crate::config::Settings::log).
pub fn init_with(format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    // Colours are for eyes: not for a file, a pipe, or somebody who said so (NO_COLOR).
    let eyes = std::io::stderr().is_terminal();
    let colours = eyes && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    // An error means that the program has installed its own: that one counts.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => builder.finish().try_init(),
    };
}
