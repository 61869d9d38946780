//! Where settings are read: the code's, `tidings.toml`, the environment, flags.

use std::path::{Path, PathBuf};

use super::{ConfigError, Origin, Settings, names, own, unknown};

/// The file that is read from the working directory when `TIDINGS_CONFIG` names no other.
const FILE_NAME: &str = "tidings.toml";
const PREFIX: &str = "TIDINGS_";
const KAFKA_PREFIX: &str = "TIDINGS_KAFKA_";
const CONFIG_VARIABLE: &str = "TIDINGS_CONFIG";

/// What each layer says, from the lowest to the highest.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The program's own defaults.
    pub code: Vec<(String, String)>,
    /// A file that must exist.
    pub file: Option<PathBuf>,
    /// A directory in which `tidings.toml` is read if it is there, when no file is named.
    pub directory: Option<PathBuf>,
    /// Environment variables; those that do not start with `TIDINGS_` are passed by.
    pub environment: Vec<(String, String)>,
    /// Flags: the setting, and its value. Client properties by their dotted names.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// This process's working directory and environment, and nothing else.
    pub fn process() -> Sources {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Sources {
            directory: Some(PathBuf::from(".")),
            environment: std::env::vars_os().filter_map(utf8).collect(),
            ..Sources::default()
        }
    }

    /// Adds flags as they come from the command line: `name=value`.
    pub fn flag(mut self, name: impl Into<String>, value: impl Into<String>) -> Sources {
        self.flags.push((name.into(), value.into()));
        self
    }

    pub(super) fn apply(self, settings: &mut Settings) -> Result<(), ConfigError> {
        for (name, value) in &self.code {
            settings.set(name, value, Origin::Code)?;
        }
        if let Some((path, text)) = self.read_file()? {
            apply_file(settings, &path, &text)?;
        }
        for (variable, value) in &self.environment {
            apply_variable(settings, variable, value)?;
        }
        for (name, value) in &self.flags {
            let flag = if own::find(name).is_some() {
                format!("--{}", name.replace('_', "-"))
            } else {
                "-X".to_owned()
            };
            settings.set(name, value, Origin::Flag(flag))?;
        }
        Ok(())
    }

    fn read_file(&self) -> Result<Option<(PathBuf, String)>, ConfigError> {
        let by_variable = self.environment.iter().find(|(name, _)| name == CONFIG_VARIABLE);
        let named = self.file.clone().or_else(|| by_variable.map(|(_, path)| path.into()));
        let unreadable = |path: &Path, e: std::io::Error| ConfigError::File {
            path: path.display().to_string(),
            reason: e.to_string(),
        };
        if let Some(path) = named {
            let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
            return Ok(Some((path, text)));
        }
        let Some(directory) = &self.directory else { return Ok(None) };
        let path = directory.join(FILE_NAME);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path, text))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(unreadable(&path, e)),
        }
    }
}

fn apply_file(settings: &mut Settings, path: &Path, text: &str) -> Result<(), ConfigError> {
    let path = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let wrong = |reason: String| ConfigError::File { path: path.clone(), reason };
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
    let mut flat = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(client) if name == "kafka" => flatten("", client, &mut flat),
            toml::Value::Table(other) => flatten(&format!("{name}."), other, &mut flat),
            value => flat.push((name, value)),
        }
    }
    for (name, value) in flat {
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(n) => n.to_string(),
            toml::Value::Float(n) => n.to_string(),
            toml::Value::Boolean(b) => b.to_string(),
            _ => return Err(wrong(format!("`{name}` must be a text, a number or a boolean"))),
        };
        settings.set(&name, text, Origin::File(path.clone()))?;
    }
    Ok(())
}

/// TOML reads `linger.ms = 5` as a table in a table: put together again what the dots took apart.
fn flatten(before: &str, table: toml::Table, flat: &mut Vec<(String, toml::Value)>) {
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => flatten(&format!("{before}{name}."), inner, flat),
            value => flat.push((format!("{before}{name}"), value)),
        }
    }
}

fn apply_variable(settings: &mut Settings, variable: &str, value: &str) -> Result<(), ConfigError> {
    let origin = || Origin::Environment(variable.to_owned());
    if let Some(rest) = variable.strip_prefix(KAFKA_PREFIX) {
        let name = names::from_environment(rest).unwrap_or_else(|| rest.to_ascii_lowercase());
        return settings.set(&name, value, origin());
    }
    let Some(rest) = variable.strip_prefix(PREFIX) else { return Ok(()) };
    if variable == CONFIG_VARIABLE {
        return Ok(());
    }
    let name = rest.to_ascii_lowercase();
    if own::find(&name).is_some() {
        return settings.set(&name, value, origin());
    }
    // Not an error: Kubernetes sets TIDINGS_PORT and more for a service called `tidings`.
    let hint = unknown::hint(&unknown::nearest(&name));
    settings.warnings.push(format!("the environment variable {variable} is not a setting{hint}"));
    Ok(())
}
