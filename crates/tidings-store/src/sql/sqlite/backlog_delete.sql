DELETE FROM tidings_outbox
WHERE position IN (SELECT value FROM json_each(?1)) AND slot IN (SELECT value FROM json_each(?2))
