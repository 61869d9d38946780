UPDATE tidings_outbox_slot
SET epoch = epoch + 1, holder = $1, until_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2
WHERE slot IN (
    SELECT slot FROM tidings_outbox_slot
    WHERE until_ms <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    ORDER BY slot LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING slot, epoch
