-- Positions are taken behind the lock of their key, one by one (CACHE 1), so that within a key
-- their order is the order of commits.
CREATE SEQUENCE tidings_outbox_position AS bigint CACHE 1;

-- Events that wait to be published. The first columns are those of Debezium's outbox router.
CREATE TABLE tidings_outbox (
    position      bigint PRIMARY KEY,
    id            uuid NOT NULL,
    aggregatetype text NOT NULL,
    aggregateid   text,
    type          text NOT NULL,
    payload       bytea,
    topic         text NOT NULL,
    key           bytea,
    headers       text NOT NULL,
    slot          bigint NOT NULL,
    occurred_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- A queue: rows come and go all the time, and the dead ones lie where every read begins.
ALTER TABLE tidings_outbox SET (
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 10000
);

-- Who may publish which part of it, until when.
CREATE TABLE tidings_outbox_slot (
    slot     bigint PRIMARY KEY,
    epoch    bigint NOT NULL DEFAULT 0,
    holder   text,
    until_ms bigint NOT NULL DEFAULT 0
);
INSERT INTO tidings_outbox_slot (slot) SELECT generate_series(0, 15);

-- Relays that live, so that each takes its share of the slots.
CREATE TABLE tidings_outbox_relay (
    holder   text PRIMARY KEY,
    until_ms bigint NOT NULL
);

-- What cannot be published now: a key behind its first event, a topic, or one event without a key.
CREATE TABLE tidings_outbox_held (
    position    bigint PRIMARY KEY,
    slot        bigint NOT NULL,
    topic       text NOT NULL,
    scope       text NOT NULL CHECK (scope IN ('topic', 'key', 'row')),
    key         bytea,
    cause       text NOT NULL,
    attempts    bigint NOT NULL,
    since_ms    bigint NOT NULL,
    next_try_ms bigint NOT NULL
);
CREATE INDEX tidings_outbox_held_by_topic ON tidings_outbox_held (topic, slot);
