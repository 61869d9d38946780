SELECT count(*) FROM tidings_outbox_relay WHERE until_ms > (extract(epoch FROM clock_timestamp()) * 1000)::bigint
