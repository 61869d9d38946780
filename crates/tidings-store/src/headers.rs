//! A record's headers as they lie in the outbox: JSON, because people and other tools read them
//! there. `[["ce_id","..."],["trace",{"base64":"/w=="}],["gone",null]]`: a list, since Kafka keeps
//! their order and allows a name twice; bytes that are no UTF-8 are written in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

/// Headers in their order; a value may be null.
pub type Headers = Vec<(String, Option<Bytes>)>;

/// A text that [`write`] did not write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its headers are not what the outbox writes: {0}")]
pub struct InvalidHeaders(String);

/// The text for a row.
pub fn write<'a>(headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> String {
    let value = |value: Option<&[u8]>| match value.map(|bytes| (bytes, std::str::from_utf8(bytes)))
    {
        None => Value::Null,
        Some((_, Ok(text))) => text.into(),
        Some((bytes, Err(_))) => json!({ "base64": STANDARD.encode(bytes) }),
    };
    let all: Vec<Value> =
        headers.into_iter().map(|(name, bytes)| json!([name, value(bytes)])).collect();
    Value::Array(all).to_string()
}

/// The headers of a row.
pub fn read(text: &str) -> Result<Headers, InvalidHeaders> {
    let wrong = |what: &str| InvalidHeaders(what.to_owned());
    let all: Vec<(String, Value)> =
        serde_json::from_str(text).map_err(|error| InvalidHeaders(error.to_string()))?;
    let bytes = |value: Value| match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Bytes::from(text.into_bytes()))),
        Value::Object(object) => {
            let text = object.get("base64").and_then(Value::as_str);
            let text = text.ok_or_else(|| wrong("an object without `base64`"))?;
            let bytes = STANDARD.decode(text);
            bytes.map(|b| Some(b.into())).map_err(|error| InvalidHeaders(error.to_string()))
        }
        _ => Err(wrong("a value that is neither text, null nor an object")),
    };
    all.into_iter().map(|(name, value)| Ok((name, bytes(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(headers: &Headers) -> String {
        write(headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())))
    }

    #[test]
    fn text_stays_readable_and_bytes_survive() {
        let headers = vec![
            ("ce_id".to_owned(), Some(b"42".as_slice().into())),
            ("raw".to_owned(), Some(vec![0xff].into())),
            ("none".to_owned(), None),
        ];
        let text = written(&headers);
        assert_eq!(text, r#"[["ce_id","42"],["raw",{"base64":"/w=="}],["none",null]]"#);
        assert_eq!(read(&text), Ok(headers));
    }

    #[test]
    fn what_was_not_written_here_is_refused_by_a_sentence() {
        for text in ["", "{}", "[1]", r#"[["a",1]]"#, r#"[["a",{}]]"#, r#"[["a",{"base64":"%"}]]"#]
        {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with("its headers are not what the outbox writes: "), "{text}");
        }
    }

    proptest! {
        #[test]
        fn all_headers_come_back(headers: Vec<(String, Option<Vec<u8>>)>) {
            let owned = headers.into_iter().map(|(name, value)| (name, value.map(Bytes::from)));
            let headers: Headers = owned.collect();
            prop_assert_eq!(read(&written(&headers)), Ok(headers));
        }
    }
}
