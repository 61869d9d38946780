-- By position, always from the lowest: a position that becomes visible late is not passed by.
SELECT position, slot, topic, key, payload, headers
FROM (
    SELECT waiting.*, sum(size) OVER (ORDER BY position) - size AS size_before
    FROM (
        SELECT o.position, o.slot, o.topic, o.key, o.payload, o.headers,
            coalesce(octet_length(o.payload), 0) + octet_length(o.headers) AS size
        FROM tidings_outbox o
        WHERE o.slot IN (SELECT value::bigint FROM json_array_elements_text($1::json))
            AND NOT EXISTS (
                SELECT 1 FROM tidings_outbox_held h
                WHERE h.topic = o.topic AND h.slot = o.slot
                    AND (h.scope = 'topic' OR h.key = o.key OR h.position = o.position)
            )
        ORDER BY o.position LIMIT $2
    ) waiting
) sized
WHERE size_before < $3
ORDER BY position
