SELECT count(*) FROM tidings_outbox_relay WHERE until_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER)
