UPDATE tidings_outbox_slot
SET epoch = epoch + 1, holder = ?1, until_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2
WHERE slot IN (
    SELECT slot FROM tidings_outbox_slot
    WHERE until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER)
    ORDER BY slot LIMIT ?3
)
RETURNING slot, epoch
