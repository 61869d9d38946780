-- Which store this is: made once, and carried along by every copy of it.
CREATE TABLE tidings_store (
    id text PRIMARY KEY
);
INSERT INTO tidings_store (id) SELECT gen_random_uuid()::text;

-- How far a group is in a partition, written before the group's commit to Kafka.
CREATE TABLE tidings_position (
    consumer_group text NOT NULL,
    topic          text NOT NULL,
    partition      bigint NOT NULL,
    next           bigint NOT NULL,
    cluster_id     text,
    topic_id       text,
    epoch          bigint NOT NULL DEFAULT 0,
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer_group, topic, partition)
);
