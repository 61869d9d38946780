INSERT INTO tidings_parked (
    consumer, topic, lane, number, partition, "offset", source, id, consumer_group,
    key, value, headers, timestamp_ms,
    attempts, cause, cause_class, cause_place, fingerprint, retryable,
    first_failed_ms, last_failed_ms, due_at_ms
)
SELECT
    ?1, ?2, ?3, coalesce(max(number), 0) + 1,
    ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
    CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?21
FROM tidings_parked WHERE consumer = ?1 AND topic = ?2 AND lane = ?3
