DELETE FROM tidings_outbox_held
WHERE position = $1 AND slot IN (SELECT value::bigint FROM json_array_elements_text($2::json))
