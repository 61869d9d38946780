//! The setting that was probably meant by a name that none has.

use super::{java, own, properties};

/// Below this likeness (0 to 1, Jaro-Winkler) a suggestion would mislead more often than help.
const LIKE_ENOUGH: f64 = 0.82;

/// The nearest name, if one is near.
pub(super) fn nearest(name: &str) -> Option<String> {
    let own = own::ALL.iter().map(|(name, _)| *name);
    let client = properties::PROPERTIES.iter().map(|(name, _)| *name);
    let name = name.to_ascii_lowercase().replace('_', ".");
    let like = |known: &str| strsim::jaro_winkler(&known.replace('_', "."), &name);
    own.chain(client)
        .chain(java::names())
        .map(|known| (like(known), known))
        .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned())
}

pub(super) fn hint(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; `tidings config show` lists those that are set".to_owned(),
    }
}
