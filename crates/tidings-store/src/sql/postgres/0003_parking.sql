-- Keys whose first unhandled event waits: nothing of them is handled before it. What has no key, or
-- is no event, is a lane of its own.
CREATE TABLE tidings_parked_key (
    consumer  text NOT NULL,
    topic     text NOT NULL,
    lane      bytea NOT NULL,
    -- The first event's; none while it waits for a person.
    due_at_ms bigint,
    -- Who is trying it, until when.
    holder    text,
    until_ms  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (consumer, topic, lane)
);
CREATE INDEX tidings_parked_key_by_due ON tidings_parked_key (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX tidings_parked_key_by_holder ON tidings_parked_key (holder) WHERE holder IS NOT NULL;

-- Their events, whole. One without a cause only waits for those before it.
CREATE TABLE tidings_parked (
    consumer        text NOT NULL,
    topic           text NOT NULL,
    lane            bytea NOT NULL,
    -- In the order in which they were parked, under the lane's lock: the lowest is the first.
    number          bigint NOT NULL,
    partition       bigint NOT NULL,
    "offset"        bigint NOT NULL,
    -- As the inbox knows it.
    source          text NOT NULL,
    id              text NOT NULL,
    consumer_group  text NOT NULL,
    key             bytea,
    value           bytea,
    headers         text NOT NULL,
    timestamp_ms    bigint,
    attempts        bigint NOT NULL,
    cause           text,
    cause_class     text,
    cause_place     text,
    fingerprint     text,
    retryable       bigint NOT NULL,
    first_failed_ms bigint,
    last_failed_ms  bigint,
    -- None: a person has to look at it.
    due_at_ms       bigint,
    parked_at_ms    bigint NOT NULL DEFAULT ((extract(epoch FROM clock_timestamp()) * 1000)::bigint),
    PRIMARY KEY (consumer, topic, lane, number),
    UNIQUE (consumer, topic, lane, partition, "offset")
);
