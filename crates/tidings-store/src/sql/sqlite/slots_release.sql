UPDATE tidings_outbox_slot SET holder = NULL, until_ms = 0
WHERE holder = ?1 AND slot IN (SELECT value FROM json_each(?2))
