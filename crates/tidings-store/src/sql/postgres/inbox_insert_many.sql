-- One whose lane is parked, or whose row is there, is not written: the count tells. It waits for
-- other transactions that write the same rows, so that its answer is final; all in one order.
INSERT INTO tidings_inbox
    (consumer, source, id, outcome, topic, partition, "offset", event_time_ms)
SELECT done ->> 0, done ->> 1, done ->> 2, 'done',
       done ->> 3, (done ->> 5)::bigint, (done ->> 6)::bigint, (done ->> 7)::bigint
FROM json_array_elements($1::json) AS done
WHERE NOT EXISTS (
    SELECT 1 FROM tidings_parked_key
    WHERE consumer = done ->> 0
      AND topic = done ->> 3 AND lane = decode(done ->> 4, 'hex')
)
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
