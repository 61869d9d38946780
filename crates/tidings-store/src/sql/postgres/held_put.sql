INSERT INTO tidings_outbox_held
    (position, slot, topic, scope, key, cause, attempts, since_ms, next_try_ms)
VALUES ($1, $2, $3, $4, $5, $6, 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $7)
ON CONFLICT (position) DO UPDATE
SET scope = excluded.scope, key = excluded.key, cause = excluded.cause, attempts = tidings_outbox_held.attempts + 1,
    next_try_ms = excluded.next_try_ms
