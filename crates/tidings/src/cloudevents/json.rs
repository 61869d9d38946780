//! Structured mode and the JSON event format (CloudEvents JSON format 1.0.2): one object with the
//! attributes as members and the data in `data` or `data_base64`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{CloudEvent, NotAnEvent, Record, attributes};

/// How a record carries its event, by its `content-type`.
pub(super) enum Mode {
    Binary,
    Structured,
    Batch,
    Unknown(String),
}

/// Why a text is not an event in the JSON format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJson {
    /// Not JSON at all, or not an object.
    #[error("not a CloudEvents JSON object: {0}")]
    Syntax(String),
    /// A member that breaks a rule of the format.
    #[error("the attribute `{name}` {reason}")]
    Attribute {
        /// The member's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A required attribute is missing, empty, or of an unknown version.
    #[error("{0}")]
    Event(String),
}

impl Mode {
    pub(super) fn of(content_type: &str) -> Mode {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        match essence.strip_prefix("application/cloudevents") {
            None => Mode::Binary,
            Some("+json") => Mode::Structured,
            Some(rest) if rest.starts_with("-batch") => Mode::Batch,
            Some(_) => Mode::Unknown(content_type.to_owned()),
        }
    }
}

/// Reads a record in structured mode. Headers that repeat an attribute are dropped, since the
/// envelope has it; all others are kept.
pub(super) fn read_record(record: &Record) -> Result<CloudEvent, NotAnEvent> {
    let value = record.value.as_deref().ok_or(NotAnEvent::NoEnvelope)?;
    let mut event = parse(value)?;
    let is_attribute = |name: &str| {
        let lower = name.to_ascii_lowercase();
        lower == "content-type" || lower.strip_prefix("ce_").is_some_and(attributes::is_name)
    };
    event.headers = record.headers.iter().filter(|(n, _)| !is_attribute(n)).cloned().collect();
    Ok(event)
}

pub(super) fn parse(text: &[u8]) -> Result<CloudEvent, InvalidJson> {
    let Members(members) =
        serde_json::from_slice(text).map_err(|e| InvalidJson::Syntax(e.to_string()))?;
    let mut event = CloudEvent::default();
    let mut spec_version = None;
    let mut seen: Vec<String> = Vec::with_capacity(members.len());
    let mut data: Option<&RawValue> = None;
    let mut data_base64 = None;
    for (name, raw) in members {
        let wrong =
            |reason: &str| InvalidJson::Attribute { name: name.clone(), reason: reason.into() };
        if seen.contains(&name) {
            return Err(wrong("is given twice"));
        }
        seen.push(name.clone());
        // Null stands for an attribute that is not there (JSON format, 2.2).
        if raw.get() == "null" && name != "data" {
            seen.pop();
            continue;
        }
        match name.as_str() {
            "data" => data = Some(raw),
            "data_base64" => {
                let text = string(raw).ok_or_else(|| wrong("is not a string"))?;
                let bytes =
                    STANDARD.decode(text).map_err(|e| wrong(&format!("is no base64: {e}")))?;
                data_base64 = Some(bytes);
            }
            "specversion" => {
                spec_version = Some(string(raw).ok_or_else(|| wrong("is not a string"))?);
            }
            _ if !attributes::is_name(&name) => {
                return Err(wrong("has a name that is not lower-case letters and digits"));
            }
            _ => {
                let text =
                    scalar(raw).ok_or_else(|| wrong("is neither text, number nor boolean"))?;
                attributes::set(&mut event, &name, text);
            }
        }
    }
    let not_an_event = |e: NotAnEvent| InvalidJson::Event(e.to_string());
    attributes::check_spec_version(spec_version.as_deref()).map_err(not_an_event)?;
    let has = |name: &str| seen.iter().any(|n| n == name);
    attributes::check_required(&event, [has("id"), has("source"), has("type")])
        .map_err(not_an_event)?;
    set_data(&mut event, data, data_base64)?;
    Ok(event)
}

pub(super) fn value(event: &CloudEvent) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    let mut put = |name: &str, value: &str| {
        object.insert(name.to_owned(), serde_json::Value::String(value.to_owned()));
    };
    each_member(event, &mut put);
    match payload(event) {
        Payload::None => {}
        Payload::Json(text) => {
            let data = serde_json::from_str(text).unwrap_or_default();
            object.insert("data".to_owned(), data);
        }
        Payload::Base64(text) => {
            object.insert("data_base64".to_owned(), serde_json::Value::String(text));
        }
    }
    serde_json::Value::Object(object)
}

pub(super) fn text(event: &CloudEvent) -> String {
    let mut text = String::from("{");
    let quoted = |s: &str| serde_json::Value::String(s.to_owned()).to_string();
    let mut member = |name: &str, value: &str| {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        text.push_str(value);
    };
    each_member(event, &mut |name, value| member(name, &quoted(value)));
    match payload(event) {
        Payload::None => {}
        // Line ends may stand between JSON's tokens only: without them it is one line.
        Payload::Json(data) => member("data", &data.replace(['\n', '\r'], " ")),
        Payload::Base64(data) => member("data_base64", &quoted(&data)),
    }
    text.push('}');
    text
}

fn each_member(event: &CloudEvent, write: &mut dyn FnMut(&str, &str)) {
    write("specversion", "1.0");
    write("id", event.id.as_str());
    write("source", &event.source);
    write("type", &event.ty);
    let optional = [
        ("subject", &event.subject),
        ("time", &event.time),
        ("datacontenttype", &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ];
    for (name, value) in optional.into_iter().filter_map(|(n, v)| Some((n, v.as_ref()?))) {
        write(name, value);
    }
    for (name, value) in &event.extensions {
        write(name, value);
    }
}

enum Payload<'a> {
    None,
    Json(&'a str),
    Base64(String),
}

fn payload(event: &CloudEvent) -> Payload<'_> {
    let Some(data) = &event.data else { return Payload::None };
    if event.has_json_data()
        && let Ok(raw) = serde_json::from_slice::<&RawValue>(data)
    {
        return Payload::Json(raw.get());
    }
    Payload::Base64(STANDARD.encode(data))
}

/// What the two members of the format mean as bytes (JSON format, 3.1).
fn set_data(
    event: &mut CloudEvent,
    data: Option<&RawValue>,
    base64: Option<Vec<u8>>,
) -> Result<(), InvalidJson> {
    event.data = match (data, base64) {
        (Some(_), Some(_)) => {
            return Err(InvalidJson::Attribute {
                name: "data".into(),
                reason: "and `data_base64` exclude each other".into(),
            });
        }
        (None, base64) => base64.map(Bytes::from),
        (Some(raw), None) => {
            if event.datacontenttype.is_none() {
                // JSON data that declares nothing is JSON; in binary mode it must say so.
                event.datacontenttype = Some("application/json".to_owned());
            }
            // Data of another type than JSON stands as a string that is its text.
            let text = if event.has_json_data() { None } else { string(raw) };
            Some(Bytes::from(text.unwrap_or_else(|| raw.get().to_owned())))
        }
    };
    Ok(())
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Attributes are texts; booleans and integers of other writers become their canonical text.
fn scalar(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first()? {
        b'"' => string(raw),
        b'{' | b'[' => None,
        _ => Some(raw.get().to_owned()),
    }
}

/// The members of an object in their order, repetitions included, their values unparsed.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the event's attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
