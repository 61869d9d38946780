//! What of the security settings does not fit together: said before anything is connected, since
//! the broker's answer would be a closed connection.

use super::{ConfigError, Name, Origin, Said, Settings};

/// The mechanisms that a build has: Kerberos needs a library of the system.
const WITH_TLS: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER";
const WITHOUT_TLS: &str = "PLAIN; SCRAM-SHA-256 and SCRAM-SHA-512 with the feature `tls`";

/// Why this value needs the feature `tls`; `None` if it does not, or the feature is there.
pub(super) fn needs_tls(name: &str, value: &str) -> Option<&'static str> {
    if cfg!(feature = "tls") {
        return None;
    }
    let value = value.to_ascii_lowercase();
    let needed = match name {
        "security.protocol" => value.ends_with("ssl"),
        "sasl.mechanisms" => value.starts_with("scram") || value == "oauthbearer",
        name => name.starts_with("ssl.") && name != "ssl.endpoint.identification.algorithm",
    };
    needed.then_some(
        "this build has neither TLS nor SCRAM. For the command: cargo install --path \
         crates/tidings-cli --features tls; for a service: the feature `tls` of the crate \
         `tidings` in its Cargo.toml",
    )
}

/// What cannot work.
pub(super) fn check(settings: &Settings) -> Result<(), ConfigError> {
    let said = |name| settings.said(name);
    let unfit = |sentence: String| Err(ConfigError::Unfit { sentence });
    let protocol = said("security.protocol");
    let is_sasl = protocol.value().to_ascii_lowercase().starts_with("sasl");
    let mechanism = said("sasl.mechanism");
    let kind = mechanism.value().to_ascii_uppercase();
    if kind == "GSSAPI" || (is_sasl && kind.is_empty()) {
        let known = if cfg!(feature = "tls") { WITH_TLS } else { WITHOUT_TLS };
        return unfit(format!("{protocol} needs a mechanism, and {mechanism}; there are {known}"));
    }
    if is_sasl && (kind == "PLAIN" || kind.starts_with("SCRAM")) {
        for needed in [said("sasl.username"), said("sasl.password")] {
            if !needed.is_given() {
                return unfit(format!("{protocol} with {mechanism} needs {needed}"));
            }
        }
    }
    for (one, other) in [
        ("ssl.certificate.location", "ssl.key.location"),
        ("ssl.key.location", "ssl.certificate.location"),
    ] {
        let pem = said(if other.contains("key") { "ssl.key.pem" } else { "ssl.certificate.pem" });
        if said(one).is_given() && !said(other).is_given() && !pem.is_given() {
            return unfit(format!("{} needs {}", said(one), said(other)));
        }
    }
    files(settings)
}

/// Files that cannot be read, by their setting.
fn files(settings: &Settings) -> Result<(), ConfigError> {
    let names = [
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.keystore.location",
        "ssl.crl.location",
    ];
    for name in names {
        let Some(value) = settings.values.get(&Name::Client(name)) else { continue };
        // librdkafka's word for the places that systems use.
        if value.text == "probe" && name == "ssl.ca.location" {
            continue;
        }
        if let Err(error) = std::fs::metadata(&value.text).and_then(|_| readable(&value.text)) {
            return Err(ConfigError::Value {
                name: name.to_owned(),
                value: value.text.clone(),
                origin: value.origin.clone(),
                reason: format!("the file cannot be read: {error}"),
            });
        }
    }
    Ok(())
}

fn readable(path: &str) -> std::io::Result<()> {
    let path = std::path::Path::new(path);
    if path.is_dir() {
        std::fs::read_dir(path).map(drop)
    } else {
        std::fs::File::open(path).map(drop)
    }
}

/// What has no effect as it is, and was probably meant to have one.
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    let protocol = settings.said("security.protocol");
    let word = protocol.value().to_ascii_lowercase();
    let is_given = |said: &Said| said.is_given() && said.origin() != &Origin::Default;
    let mut warnings = Vec::new();
    if !word.starts_with("sasl") {
        let idle = ["sasl.mechanism", "sasl.username", "sasl.password"];
        let idle = idle.map(|name| settings.said(name)).into_iter().find(is_given);
        warnings.extend(idle.map(|idle| {
            format!(
                "{idle} has no effect, for {protocol}: set `security.protocol` to SASL_SSL or \
                 SASL_PLAINTEXT"
            )
        }));
    }
    if !word.ends_with("ssl") {
        let idle = ["ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location"];
        let idle = idle.map(|name| settings.said(name)).into_iter().find(is_given);
        warnings.extend(idle.map(|idle| {
            format!(
                "{idle} has no effect, for {protocol}: set `security.protocol` to SASL_SSL or SSL"
            )
        }));
    }
    warnings
}
