DELETE FROM tidings_outbox_held
WHERE position = ?1 AND slot IN (SELECT value FROM json_each(?2))
