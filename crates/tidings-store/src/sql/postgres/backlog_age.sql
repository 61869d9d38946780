SELECT coalesce((
    SELECT (extract(epoch FROM clock_timestamp() - occurred_at) * 1000)::bigint
    FROM tidings_outbox ORDER BY position LIMIT 1
), -1)
