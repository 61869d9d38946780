UPDATE tidings_parked_key SET until_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2 WHERE holder = ?1
