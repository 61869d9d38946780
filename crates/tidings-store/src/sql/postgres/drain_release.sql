UPDATE tidings_parked_key SET holder = NULL, until_ms = 0
WHERE holder = $1 AND consumer = $2 AND topic = $3 AND lane = $4
