UPDATE tidings_outbox_slot
SET until_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2
WHERE holder = ?1
RETURNING slot, epoch
