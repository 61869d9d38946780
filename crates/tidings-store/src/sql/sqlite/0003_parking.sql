-- Keys whose first unhandled event waits: nothing of them is handled before it. What has no key, or
-- is no event, is a lane of its own.
CREATE TABLE tidings_parked_key (
    consumer  TEXT NOT NULL,
    topic     TEXT NOT NULL,
    lane      BLOB NOT NULL,
    -- The first event's; none while it waits for a person.
    due_at_ms INTEGER,
    -- Who is trying it, until when.
    holder    TEXT,
    until_ms  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (consumer, topic, lane)
) WITHOUT ROWID;
CREATE INDEX tidings_parked_key_by_due ON tidings_parked_key (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX tidings_parked_key_by_holder ON tidings_parked_key (holder) WHERE holder IS NOT NULL;

-- Their events, whole. One without a cause only waits for those before it.
CREATE TABLE tidings_parked (
    consumer        TEXT NOT NULL,
    topic           TEXT NOT NULL,
    lane            BLOB NOT NULL,
    -- In the order in which they were parked, under the lane's lock: the lowest is the first.
    number          INTEGER NOT NULL,
    partition       INTEGER NOT NULL,
    "offset"        INTEGER NOT NULL,
    -- As the inbox knows it.
    source          TEXT NOT NULL,
    id              TEXT NOT NULL,
    consumer_group  TEXT NOT NULL,
    key             BLOB,
    value           BLOB,
    headers         TEXT NOT NULL,
    timestamp_ms    INTEGER,
    attempts        INTEGER NOT NULL,
    cause           TEXT,
    cause_class     TEXT,
    cause_place     TEXT,
    fingerprint     TEXT,
    retryable       INTEGER NOT NULL,
    first_failed_ms INTEGER,
    last_failed_ms  INTEGER,
    -- None: a person has to look at it.
    due_at_ms       INTEGER,
    parked_at_ms    INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    PRIMARY KEY (consumer, topic, lane, number),
    UNIQUE (consumer, topic, lane, partition, "offset")
) WITHOUT ROWID;
