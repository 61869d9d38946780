SELECT partition, "offset", source, id, consumer_group, key, value, headers, timestamp_ms, attempts,
    cause, cause_class, cause_place, fingerprint, retryable, first_failed_ms, last_failed_ms,
    CASE WHEN due_at_ms IS NULL THEN 0 ELSE 1 END::bigint, coalesce(due_at_ms - (extract(epoch FROM clock_timestamp()) * 1000)::bigint, 0)
FROM tidings_parked WHERE consumer = $1 AND topic = $2 AND lane = $3
ORDER BY number LIMIT 1
