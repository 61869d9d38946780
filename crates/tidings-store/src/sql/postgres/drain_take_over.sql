UPDATE tidings_parked_key SET holder = NULL, until_ms = 0
WHERE holder IS NOT NULL AND substr(holder, 1, length($1)) = $1
