-- inbox_look for many events; the answer leaves out those of which nothing is known.
SELECT number, standing FROM (
    SELECT asked.key AS number, CASE
        WHEN EXISTS (
            SELECT 1 FROM tidings_inbox
            WHERE consumer = asked.value ->> 0
              AND source = asked.value ->> 1 AND id = asked.value ->> 2
        ) THEN 1
        WHEN EXISTS (
            SELECT 1 FROM tidings_parked_key
            WHERE consumer = asked.value ->> 0
              AND topic = asked.value ->> 3 AND lane = unhex(asked.value ->> 4)
        ) THEN 2
        ELSE 0
    END AS standing
    FROM json_each(?1) AS asked
)
WHERE standing > 0
