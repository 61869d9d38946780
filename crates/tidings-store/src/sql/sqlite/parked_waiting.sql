SELECT consumer, topic, lane FROM tidings_parked_key
WHERE due_at_ms IS NULL AND consumer IN (SELECT value FROM json_each(?1))
ORDER BY consumer, topic, lane LIMIT ?2
