//! Which errors a retry helps; publishing itself is tested in tests/it/publishing.rs.

use super::*;
use crate::link::NotAllowed;

#[test]
fn errors_say_whether_a_retry_helps() {
    let topic = || "orders".to_owned();
    let act = NotAllowed { what: "no".to_owned(), acl: "--add".to_owned() };
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
        (PublishError::NotAllowed { topic: topic(), act: Box::new(act) }, true),
    ];
    for (error, retryable) in rows {
        assert_eq!(error.is_retryable(), retryable, "{error}");
    }
}
