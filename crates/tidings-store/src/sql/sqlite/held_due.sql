SELECT position, attempts FROM tidings_outbox_held
WHERE slot IN (SELECT value FROM json_each(?1)) AND next_try_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER)
ORDER BY position LIMIT ?2
