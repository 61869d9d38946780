//! Client properties that would break what Tidings promises, and those that it sets itself.

/// Why this value of this property is refused; `None` if it is harmless.
pub(super) fn reason(name: &str, value: &str) -> Option<&'static str> {
    let is = |word: &str| value.eq_ignore_ascii_case(word);
    let number: Option<i64> = value.parse().ok();
    match name {
        "enable.auto.commit" | "auto.commit.enable" if !is("false") => Some(
            "offsets would be committed before their events are handled, and a crash would lose \
             them",
        ),
        "enable.auto.offset.store" if !is("false") => Some(
            "offsets would count as done when an event is read, not when it is handled, and a \
             crash would lose it",
        ),
        "acks" | "request.required.acks" if !is("all") && value != "-1" => Some(
            "an event would count as published before all replicas have it, and the loss of one \
             broker could lose it",
        ),
        "enable.idempotence" if !is("true") => Some(
            "a retry could publish an event twice or behind its successor, and order per key \
             would be lost",
        ),
        "max.in.flight" | "max.in.flight.requests.per.connection"
            if number.is_none_or(|n| n > 5) =>
        {
            Some("brokers remember five batches per producer, so more in flight can be reordered")
        }
        "message.send.max.retries" | "retries" if number == Some(0) => {
            Some("one lost packet would fail a publish that a retry would save")
        }
        "partitioner" if !is("murmur2_random") && !is("murmur2") => Some(
            "keys would land on other partitions than those of Java's clients, and events of one \
             key from two services would lose their order",
        ),
        "enable.ssl.certificate.verification" if !is("true") => Some(
            "anybody in between could pose as the broker, and be given the password and the events",
        ),
        "isolation.level" if is("read_uncommitted") => {
            Some("events of transactions that were given up would be handled")
        }
        "delivery.report.only.error" if !is("false") => {
            Some("successful publishes would never be answered")
        }
        "auto.offset.reset" if !is("error") => Some(
            "a committed offset that is gone would be skipped silently; a new group starts at the \
             beginning anyway",
        ),
        _ => None,
    }
}

/// Properties that follow from something else, and how to say that.
pub(super) fn ours(name: &str) -> Option<&'static str> {
    match name {
        "group.id" => Some("the group is the service's name, `Service::new(\"name\")`"),
        "transactional.id" => Some("transactions are not used here; leave it out"),
        "plugin.library.paths" => Some("plugins could change any guarantee; leave it out"),
        "offset.store.method" => Some("offsets are kept by the broker; leave it out"),
        "group.protocol.type" => Some("services are consumers; leave it out"),
        _ => None,
    }
}
