-- Which handler is done with which event. An event's identity is (source, id); where it lay and when
-- it happened decide when its row may go.
CREATE TABLE tidings_inbox (
    consumer       text NOT NULL,
    source         text NOT NULL,
    id             text NOT NULL,
    outcome        text NOT NULL,
    topic          text NOT NULL,
    partition      bigint NOT NULL,
    "offset"       bigint NOT NULL,
    event_time_ms  bigint,
    handled_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, source, id)
);
