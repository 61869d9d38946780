UPDATE tidings_outbox_slot
SET until_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2
WHERE holder = $1
RETURNING slot, epoch
