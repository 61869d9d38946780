//! The settings that decide how a cluster is met, each with its origin, for sentences.

use crate::config::{Said, Settings};

/// What sentences need to know.
pub(super) struct Security {
    pub(super) bootstrap: String,
    pub(super) protocol: Said,
    pub(super) mechanism: Said,
    pub(super) username: Said,
    pub(super) password: Said,
    pub(super) ca: Said,
    pub(super) certificate: Said,
    pub(super) key: Said,
    pub(super) endpoint: Said,
}

impl Security {
    pub(super) fn of(settings: &Settings) -> Security {
        let first_given = |names: &[&'static str]| {
            let said = names.iter().map(|name| settings.said(name));
            said.clone().find(Said::is_given).or_else(|| said.clone().next())
        };
        let of = |names: &[&'static str]| {
            first_given(names).unwrap_or_else(|| settings.said("security.protocol"))
        };
        Security {
            bootstrap: settings.bootstrap().to_owned(),
            protocol: settings.said("security.protocol"),
            mechanism: settings.said("sasl.mechanism"),
            username: settings.said("sasl.username"),
            password: settings.said("sasl.password"),
            ca: of(&["ssl.ca.location", "ssl.ca.pem"]),
            certificate: of(&[
                "ssl.certificate.location",
                "ssl.certificate.pem",
                "ssl.keystore.location",
            ]),
            key: of(&["ssl.key.location", "ssl.key.pem", "ssl.keystore.location"]),
            endpoint: settings.said("ssl.endpoint.identification.algorithm"),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.protocol.value().to_ascii_lowercase().ends_with("ssl")
    }

    pub(super) fn is_sasl(&self) -> bool {
        self.protocol.value().to_ascii_lowercase().starts_with("sasl")
    }

    /// The broker that a reason of the client's begins with, or all of them:
    /// `sasl_ssl://host:port/1: ...`, `[thrd:...]: host:port/bootstrap: ...`.
    pub(super) fn broker<'a>(&'a self, reason: &'a str) -> &'a str {
        let rest = reason.split_once("]: ").map_or(reason, |(_, rest)| rest);
        let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
        let named = rest.split_once('/').map(|(broker, _)| broker);
        let is_address = |broker: &&str| broker.contains(':') && !broker.contains(' ');
        named.filter(is_address).unwrap_or(&self.bootstrap)
    }
}
