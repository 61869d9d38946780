UPDATE tidings_parked_key SET holder = NULL, until_ms = 0 WHERE holder = $1
