//! Binary mode (CloudEvents Kafka binding 1.0.2, 3.2): attributes in `ce_` headers, data as it is.

use bytes::Bytes;

use super::{CloudEvent, Headers, NotAnEvent, Record, attributes};

const PREFIX: &str = "ce_";
const CONTENT_TYPE: &str = "content-type";

/// Reads the attributes from the headers; what is none, or cannot be one, stays a header.
pub(super) fn read(record: &Record) -> Result<CloudEvent, NotAnEvent> {
    let mut event = CloudEvent { data: record.value.clone(), ..CloudEvent::default() };
    let mut spec_version = None;
    let mut seen = Seen::default();
    for (header, value) in &record.headers {
        let Some(name) = attribute_name(header) else {
            event.headers.push((header.clone(), value.clone()));
            continue;
        };
        match seen.take(&name, value) {
            Take::Attribute(text) if name == "specversion" => spec_version = Some(text),
            Take::Attribute(text) => attributes::set(&mut event, &name, text),
            Take::Header => event.headers.push((header.clone(), value.clone())),
            Take::Broken => return Err(NotAnEvent::NotText { name }),
        }
    }
    if spec_version.is_none() && !seen.any_prefixed {
        return Err(NotAnEvent::NoAttributes);
    }
    attributes::check_spec_version(spec_version.as_deref())?;
    attributes::check_required(&event, [seen.has("id"), seen.has("source"), seen.has("type")])?;
    Ok(event)
}

/// Writes the headers in a fixed order: attributes, extensions by name, then the foreign ones.
pub(super) fn headers(event: &CloudEvent) -> Headers {
    let mut headers = Headers::with_capacity(10 + event.extensions.len() + event.headers.len());
    each_attribute(event, |name, value| {
        headers.push((name.to_owned(), Some(Bytes::copy_from_slice(value.as_bytes()))));
    });
    headers.extend(event.headers.iter().cloned());
    headers
}

/// Calls back with the header name and value of each attribute, without building a list: this runs
/// once per published event.
pub(crate) fn each_attribute(event: &CloudEvent, mut write: impl FnMut(&str, &str)) {
    write("ce_specversion", "1.0");
    write("ce_id", event.id.as_str());
    write("ce_source", &event.source);
    write("ce_type", &event.ty);
    let optional = [
        ("ce_subject", &event.subject),
        ("ce_time", &event.time),
        ("ce_dataschema", &event.dataschema),
        (CONTENT_TYPE, &event.datacontenttype),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            write(name, value);
        }
    }
    let mut name = String::with_capacity(24);
    for (extension, value) in &event.extensions {
        name.clear();
        name.push_str(PREFIX);
        name.push_str(extension);
        write(&name, value);
    }
}

/// `ce_<name>` and `content-type` in any case; `None` for what is no attribute.
fn attribute_name(header: &str) -> Option<String> {
    if header.eq_ignore_ascii_case(CONTENT_TYPE) {
        return Some("datacontenttype".to_owned());
    }
    let prefix = header.get(..PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(PREFIX) {
        return None;
    }
    let name = header[PREFIX.len()..].to_ascii_lowercase();
    // In this mode the content type stands in its own header, and the data is the value.
    let elsewhere = matches!(name.as_str(), "datacontenttype" | "data");
    (attributes::is_name(&name) && !elsewhere).then_some(name)
}

#[derive(Default)]
struct Seen {
    names: Vec<String>,
    any_prefixed: bool,
}

enum Take {
    Attribute(String),
    Header,
    Broken,
}

impl Seen {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    /// The first text of a name is the attribute. Repetitions, and extensions that are no text,
    /// stay headers, so that they survive; a standard attribute that is no text is an error.
    fn take(&mut self, name: &str, value: &Option<Bytes>) -> Take {
        self.any_prefixed |= name != "datacontenttype";
        if self.has(name) {
            return Take::Header;
        }
        let text = value.as_deref().and_then(|v| std::str::from_utf8(v).ok());
        let required = matches!(name, "specversion" | "id" | "source" | "type");
        match text {
            Some(text) => {
                self.names.push(name.to_owned());
                Take::Attribute(text.to_owned())
            }
            None if required => Take::Broken,
            None => {
                // It counts as the first of its name: were a second content type taken for the
                // attribute, the event would be written in another mode than it was read in.
                self.names.push(name.to_owned());
                Take::Header
            }
        }
    }
}
