-- No row: it is not there any more, or another one is the first by now.
DELETE FROM tidings_parked
WHERE consumer = $1 AND topic = $2 AND lane = $3 AND partition = $4 AND "offset" = $5
    AND NOT EXISTS (
        SELECT 1 FROM tidings_parked lower
        WHERE lower.consumer = $1 AND lower.topic = $2 AND lower.lane = $3
            AND (lower.partition < $4 OR lower.partition = $4 AND lower."offset" < $5)
    )
