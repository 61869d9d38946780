INSERT INTO tidings_outbox_relay (holder, until_ms)
VALUES (?1, CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2)
ON CONFLICT (holder) DO UPDATE SET until_ms = excluded.until_ms
