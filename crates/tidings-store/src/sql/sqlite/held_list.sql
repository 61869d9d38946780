SELECT position, topic, scope, key, cause, attempts, CAST(unixepoch('subsec') * 1000 AS INTEGER) - since_ms,
    next_try_ms - CAST(unixepoch('subsec') * 1000 AS INTEGER)
FROM tidings_outbox_held ORDER BY position LIMIT ?1
