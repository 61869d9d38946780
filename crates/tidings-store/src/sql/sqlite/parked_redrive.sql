-- The first one only: those behind it follow by themselves.
UPDATE tidings_parked SET due_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER)
WHERE consumer = ?1 AND topic = ?2 AND lane = ?3 AND due_at_ms IS NULL AND number = (
    SELECT min(number) FROM tidings_parked WHERE consumer = ?1 AND topic = ?2 AND lane = ?3
)
