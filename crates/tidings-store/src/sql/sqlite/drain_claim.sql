UPDATE tidings_parked_key SET holder = ?1, until_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2
WHERE (consumer, topic, lane) IN (
    SELECT consumer, topic, lane FROM tidings_parked_key
    WHERE due_at_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?4 AND until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER) AND consumer IN (SELECT value FROM json_each(?3))
    ORDER BY due_at_ms LIMIT ?5
)
RETURNING consumer, topic, lane
