-- Which store this is: made once, and carried along by every copy of it.
CREATE TABLE tidings_store (
    id TEXT PRIMARY KEY
);
INSERT INTO tidings_store (id)
SELECT lower(
    hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
    || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-'
    || hex(randomblob(6))
);

-- How far a group is in a partition, written before the group's commit to Kafka.
CREATE TABLE tidings_position (
    consumer_group TEXT NOT NULL,
    topic          TEXT NOT NULL,
    partition      INTEGER NOT NULL,
    next           INTEGER NOT NULL,
    cluster_id     TEXT,
    topic_id       TEXT,
    epoch          INTEGER NOT NULL DEFAULT 0,
    changed_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (consumer_group, topic, partition)
) WITHOUT ROWID;
