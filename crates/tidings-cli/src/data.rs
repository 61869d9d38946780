//! The data of an event for people: laid out where that changes nothing, safe for a terminal.

use serde_json::value::RawValue;

use crate::output;
use crate::record::Seen;

/// The data: JSON laid out over lines, other text as it is, other bytes counted.
pub fn text(seen: &Seen) -> String {
    let data = match &seen.event {
        Ok(event) => event.data.as_deref(),
        Err(_) => seen.record.value.as_deref(),
    };
    let Some(bytes) = data else { return "  (no data)".to_owned() };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return format!("  ({} bytes that are no text; see them with --json)", bytes.len());
    };
    // Only laid out anew where that changes nothing: large numbers and repeated names would.
    let laid_out = serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .filter(|pretty| compact(pretty) == compact(text));
    let shown = laid_out.unwrap_or_else(|| text.to_owned());
    shown
        .lines()
        .map(|line| format!("  {}", output::printable(line)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// JSON without the space between its parts, everything else byte for byte.
fn compact(text: &str) -> Option<String> {
    let raw: Box<RawValue> = serde_json::from_str(text).ok()?;
    let mut inside = false;
    let mut escaped = false;
    Some(
        raw.get()
            .chars()
            .filter(|c| {
                let keep = inside || !c.is_ascii_whitespace();
                match c {
                    _ if escaped => escaped = false,
                    '\\' if inside => escaped = true,
                    '"' => inside = !inside,
                    _ => {}
                }
                keep
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidings::cloudevents::{CloudEvent, Record};

    use super::*;

    fn shown(value: &str) -> String {
        let record =
            Record { value: Some(Bytes::copy_from_slice(value.as_bytes())), ..Record::default() };
        let event = CloudEvent::from_record(&record);
        text(&Seen { record, event })
    }

    #[test]
    fn data_is_laid_out_only_where_that_changes_nothing() {
        for (json, shown) in [
            (r#"{"a":1,"b":"x y"}"#, "  {\n    \"a\": 1,\n    \"b\": \"x y\"\n  }"),
            (r#"{"b":1,"a":2}"#, r#"  {"b":1,"a":2}"#),
            (r#"{"a":1e400}"#, r#"  {"a":1e400}"#),
            ("not json", "  not json"),
        ] {
            assert_eq!(self::shown(json), shown);
        }
    }
}
