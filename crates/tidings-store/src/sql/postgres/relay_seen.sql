INSERT INTO tidings_outbox_relay (holder, until_ms)
VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2)
ON CONFLICT (holder) DO UPDATE SET until_ms = excluded.until_ms
