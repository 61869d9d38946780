-- inbox_look for many events; the answer leaves out those of which nothing is known.
SELECT number, standing FROM (
    SELECT asked.number - 1 AS number, CASE
        WHEN EXISTS (
            SELECT 1 FROM tidings_inbox
            WHERE consumer = asked.event ->> 0
              AND source = asked.event ->> 1 AND id = asked.event ->> 2
        ) THEN 1
        WHEN EXISTS (
            SELECT 1 FROM tidings_parked_key
            WHERE consumer = asked.event ->> 0
              AND topic = asked.event ->> 3 AND lane = decode(asked.event ->> 4, 'hex')
        ) THEN 2
        ELSE 0
    END::bigint AS standing
    FROM json_array_elements($1::json) WITH ORDINALITY AS asked (event, number)
) AS answer
WHERE standing > 0
