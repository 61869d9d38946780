SELECT coalesce(min(
    CASE WHEN due_at_ms > until_ms THEN due_at_ms ELSE until_ms END
) - CAST(unixepoch('subsec') * 1000 AS INTEGER), 3600000)
FROM tidings_parked_key WHERE due_at_ms IS NOT NULL AND consumer IN (SELECT value FROM json_each(?1))
