//! The attributes of CloudEvents 1.0 by name, and the rule for names of extensions.

use super::{CloudEvent, NotAnEvent};

/// Standard attributes, `specversion` aside, and `data`, which an extension may not be called.
const RESERVED: [&str; 10] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "data_base64",
];

/// A name or value that an extension attribute cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAttribute {
    /// Names are lower-case letters and digits (CloudEvents 1.0, naming conventions).
    #[error("`{0}` cannot be the name of an attribute: use a-z and 0-9 only, at least one")]
    Name(String),
    /// The name belongs to a standard attribute.
    #[error("`{0}` is a standard attribute, not an extension")]
    Reserved(String),
    /// Control characters are not allowed in attributes (CloudEvents 1.0, type system).
    #[error("the value of the attribute `{0}` holds a control character")]
    Value(String),
}

/// Checks the name and value of an extension attribute.
pub fn check_extension(name: &str, value: &str) -> Result<(), InvalidAttribute> {
    if !is_name(name) {
        return Err(InvalidAttribute::Name(name.to_owned()));
    }
    if RESERVED.contains(&name) {
        return Err(InvalidAttribute::Reserved(name.to_owned()));
    }
    if value.chars().any(char::is_control) {
        return Err(InvalidAttribute::Value(name.to_owned()));
    }
    Ok(())
}

/// Lower-case letters and digits, at least one.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// `application/json`, `text/json` or anything that ends in `+json`, parameters aside.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.split_once('/').is_some_and(|(_, sub)| sub == "json" || sub.ends_with("+json"))
}

/// Puts one attribute into its place. The caller has checked the name, and that it is the first.
pub(super) fn set(event: &mut CloudEvent, name: &str, value: String) {
    match name {
        "id" => event.id = value.into(),
        "source" => event.source = value,
        "type" => event.ty = value,
        "subject" => event.subject = Some(value),
        "time" => event.time = Some(value),
        "datacontenttype" => event.datacontenttype = Some(value),
        "dataschema" => event.dataschema = Some(value),
        _ => {
            event.extensions.insert(name.to_owned(), value);
        }
    }
}

/// `1.0` is what every 1.0.x says.
pub(super) fn check_spec_version(found: Option<&str>) -> Result<(), NotAnEvent> {
    match found {
        Some("1.0") => Ok(()),
        Some(found) => Err(NotAnEvent::SpecVersion { found: found.to_owned() }),
        None => Err(NotAnEvent::Missing { name: "specversion" }),
    }
}

/// The attributes without which an event has no identity and no meaning.
pub(super) fn check_required(event: &CloudEvent, seen: [bool; 3]) -> Result<(), NotAnEvent> {
    let required = [("id", event.id.as_str()), ("source", &event.source), ("type", &event.ty)];
    for ((name, value), seen) in required.into_iter().zip(seen) {
        if !seen {
            return Err(NotAnEvent::Missing { name });
        }
        if value.is_empty() {
            return Err(NotAnEvent::Empty { name });
        }
    }
    Ok(())
}
