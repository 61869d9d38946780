-- One whose lane is parked, or whose row is there, is not written: the count tells.
INSERT INTO tidings_inbox
    (consumer, source, id, outcome, topic, partition, "offset", event_time_ms)
SELECT done.value ->> 0, done.value ->> 1, done.value ->> 2, 'done',
       done.value ->> 3, done.value ->> 5, done.value ->> 6, done.value ->> 7
FROM json_each(?1) AS done
WHERE NOT EXISTS (
    SELECT 1 FROM tidings_parked_key
    WHERE consumer = done.value ->> 0
      AND topic = done.value ->> 3 AND lane = unhex(done.value ->> 4)
)
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
