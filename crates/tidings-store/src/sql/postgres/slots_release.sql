UPDATE tidings_outbox_slot SET holder = NULL, until_ms = 0
WHERE holder = $1 AND slot IN (SELECT value::bigint FROM json_array_elements_text($2::json))
