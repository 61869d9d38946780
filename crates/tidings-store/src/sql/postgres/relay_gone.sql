-- With it those that died an hour ago.
DELETE FROM tidings_outbox_relay
WHERE holder = $1 OR until_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 3600000
