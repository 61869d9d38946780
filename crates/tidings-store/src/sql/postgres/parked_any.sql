SELECT 1::bigint FROM tidings_parked WHERE consumer = $1 AND topic = $2 AND lane = $3 LIMIT 1
