-- With it those that died an hour ago.
DELETE FROM tidings_outbox_relay
WHERE holder = ?1 OR until_ms < CAST(unixepoch('subsec') * 1000 AS INTEGER) - 3600000
