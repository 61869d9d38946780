SELECT coalesce(min(next_try_ms) - (extract(epoch FROM clock_timestamp()) * 1000)::bigint, 3600000) FROM tidings_outbox_held
WHERE slot IN (SELECT value::bigint FROM json_array_elements_text($1::json))
