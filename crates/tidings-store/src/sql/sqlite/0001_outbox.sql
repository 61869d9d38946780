-- Events that wait to be published. The one writer of SQLite makes the order of positions the order
-- of commits. AUTOINCREMENT: the position of a deleted row never comes back.
CREATE TABLE tidings_outbox (
    position      INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL,
    aggregatetype TEXT NOT NULL,
    aggregateid   TEXT,
    type          TEXT NOT NULL,
    payload       BLOB,
    topic         TEXT NOT NULL,
    key           BLOB,
    headers       TEXT NOT NULL,
    slot          INTEGER NOT NULL,
    occurred_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- Who may publish which part of it, until when.
CREATE TABLE tidings_outbox_slot (
    slot     INTEGER PRIMARY KEY,
    epoch    INTEGER NOT NULL DEFAULT 0,
    holder   TEXT,
    until_ms INTEGER NOT NULL DEFAULT 0
);
WITH RECURSIVE numbers (slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM numbers WHERE slot < 15)
INSERT INTO tidings_outbox_slot (slot) SELECT slot FROM numbers;

-- Relays that live, so that each takes its share of the slots.
CREATE TABLE tidings_outbox_relay (
    holder   TEXT PRIMARY KEY,
    until_ms INTEGER NOT NULL
);

-- What cannot be published now: a key behind its first event, a topic, or one event without a key.
CREATE TABLE tidings_outbox_held (
    position    INTEGER PRIMARY KEY,
    slot        INTEGER NOT NULL,
    topic       TEXT NOT NULL,
    scope       TEXT NOT NULL CHECK (scope IN ('topic', 'key', 'row')),
    key         BLOB,
    cause       TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    since_ms    INTEGER NOT NULL,
    next_try_ms INTEGER NOT NULL
);
CREATE INDEX tidings_outbox_held_by_topic ON tidings_outbox_held (topic, slot);
