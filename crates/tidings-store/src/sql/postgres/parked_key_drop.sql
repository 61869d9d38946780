-- None is left, so nothing waits for anything any more.
DELETE FROM tidings_parked_key
WHERE consumer = $1 AND topic = $2 AND lane = $3 AND NOT EXISTS (
    SELECT 1 FROM tidings_parked WHERE consumer = $1 AND topic = $2 AND lane = $3
)
