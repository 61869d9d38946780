-- Which handler is done with which event. An event's identity is (source, id); where it lay and when
-- it happened decide when its row may go.
CREATE TABLE tidings_inbox (
    consumer       TEXT NOT NULL,
    source         TEXT NOT NULL,
    id             TEXT NOT NULL,
    outcome        TEXT NOT NULL,
    topic          TEXT NOT NULL,
    partition      INTEGER NOT NULL,
    "offset"       INTEGER NOT NULL,
    event_time_ms  INTEGER,
    handled_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (consumer, source, id)
) WITHOUT ROWID;
