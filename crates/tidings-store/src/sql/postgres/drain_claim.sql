-- Chosen once, then updated: a subquery with SKIP LOCKED could be run again for every row.
WITH due AS MATERIALIZED (
    SELECT consumer, topic, lane FROM tidings_parked_key
    WHERE due_at_ms <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $4
        AND until_ms <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint
        AND consumer IN (SELECT json_array_elements_text($3::json))
    ORDER BY due_at_ms LIMIT $5
    FOR UPDATE SKIP LOCKED
)
UPDATE tidings_parked_key AS parked
SET holder = $1, until_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2
FROM due
WHERE parked.consumer = due.consumer AND parked.topic = due.topic AND parked.lane = due.lane
RETURNING parked.consumer, parked.topic, parked.lane
