-- Waits for another transaction that writes the same row, so that its answer is final.
INSERT INTO tidings_inbox
    (consumer, source, id, outcome, topic, partition, "offset", event_time_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
