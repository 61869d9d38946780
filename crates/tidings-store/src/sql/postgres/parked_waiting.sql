SELECT consumer, topic, lane FROM tidings_parked_key
WHERE due_at_ms IS NULL AND consumer IN (SELECT json_array_elements_text($1::json))
ORDER BY consumer, topic, lane LIMIT $2
