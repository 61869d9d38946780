SELECT position, attempts FROM tidings_outbox_held
WHERE slot IN (SELECT value::bigint FROM json_array_elements_text($1::json)) AND next_try_ms <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint
ORDER BY position LIMIT $2
