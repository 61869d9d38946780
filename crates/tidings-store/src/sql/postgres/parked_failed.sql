-- By the number of attempts, so that whoever was stopped for long overwrites nothing.
UPDATE tidings_parked SET
    attempts = $7, cause = $8, cause_class = $9, cause_place = $10, fingerprint = $11,
    retryable = $12, first_failed_ms = coalesce(first_failed_ms, $13), last_failed_ms = $13,
    due_at_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $14
WHERE consumer = $1 AND topic = $2 AND lane = $3 AND partition = $4 AND "offset" = $5
    AND attempts = $6
