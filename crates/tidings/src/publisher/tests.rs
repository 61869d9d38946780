//! Sizes and retries; publishing itself is tested against a broker in tests/it/publishing.rs.

use super::*;

#[test]
fn a_records_size_counts_key_value_and_headers() {
    let headers = vec![("abc".to_owned(), Some(Bytes::from_static(b"12"))), ("n".into(), None)];
    let size = |key: Option<&'static str>, value: Option<&'static str>| {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        size::record_bytes(key.map(bytes).as_ref(), value.map(bytes).as_ref(), &headers)
    };
    assert_eq!(size(None, None), 3 + 2 + 10 + 1 + 10);
    assert_eq!(size(Some("1042"), Some("{}")), size(None, None) + 6);
}

#[test]
fn errors_say_whether_a_retry_helps() {
    let topic = || "orders".to_owned();
    let bootstrap = || "127.0.0.1:9092".to_owned();
    let rows = [
        (PublishError::Closed, false),
        (PublishError::UnknownTopic { topic: topic(), bootstrap: bootstrap() }, true),
        (
            PublishError::Unacknowledged {
                topic: topic(),
                bootstrap: bootstrap(),
                waited_ms: 60_000,
            },
            true,
        ),
        (PublishError::NotAllowed { topic: topic(), bootstrap: bootstrap() }, false),
    ];
    for (error, retryable) in rows {
        assert_eq!(error.is_retryable(), retryable, "{error}");
    }
}
