-- In one look: a key that is let go in between would else seem neither handled nor parked.
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM tidings_inbox WHERE consumer = $1 AND source = $2 AND id = $3)
        THEN 1
    WHEN EXISTS (SELECT 1 FROM tidings_parked_key WHERE consumer = $1 AND topic = $4 AND lane = $5)
        THEN 2
    ELSE 0
END::bigint
