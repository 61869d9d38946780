SELECT position, topic, scope, key, cause, attempts, (extract(epoch FROM clock_timestamp()) * 1000)::bigint - since_ms,
    next_try_ms - (extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM tidings_outbox_held ORDER BY position LIMIT $1
