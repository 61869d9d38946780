-- No row: it is not there any more, or another one is the first by now.
DELETE FROM tidings_parked
WHERE consumer = ?1 AND topic = ?2 AND lane = ?3 AND partition = ?4 AND "offset" = ?5
    AND number = (
        SELECT min(number) FROM tidings_parked WHERE consumer = ?1 AND topic = ?2 AND lane = ?3
    )
