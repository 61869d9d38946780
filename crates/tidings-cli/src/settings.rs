//! The settings of a command: flags over environment over `tidings.toml` over defaults.

use rdkafka::ClientConfig;
use tidings::config::{Settings, Sources};

use crate::cli::Global;
use crate::failure::Failure;
use crate::output;

/// Brings flags, environment and file together.
pub fn load(global: &Global) -> Result<Settings, Failure> {
    let mut sources = Sources::process();
    if let Some(bootstrap) = &global.bootstrap {
        sources = sources.flag("bootstrap", bootstrap);
    }
    for text in &global.settings {
        let (name, value) = name_and_value(text, "-X")?;
        sources = sources.flag(name, value);
    }
    let settings = Settings::load(sources).map_err(|error| Failure::usage(error.to_string()))?;
    for warning in settings.warnings() {
        output::note(&format!("warning: {warning}"));
    }
    Ok(settings)
}

/// The settings of a client of any kind.
pub fn client(settings: &Settings) -> ClientConfig {
    settings.client()
}

/// Splits what `-X` and `--config` take.
pub fn name_and_value<'a>(text: &'a str, flag: &str) -> Result<(&'a str, &'a str), Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
        _ => Err(Failure::usage(format!("`{flag} {text}` is not NAME=VALUE"))),
    }
}
