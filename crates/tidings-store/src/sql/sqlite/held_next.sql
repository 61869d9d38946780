SELECT coalesce(min(next_try_ms) - CAST(unixepoch('subsec') * 1000 AS INTEGER), 3600000) FROM tidings_outbox_held
WHERE slot IN (SELECT value FROM json_each(?1))
