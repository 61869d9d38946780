DELETE FROM tidings_outbox
WHERE position IN (SELECT value::bigint FROM json_array_elements_text($1::json)) AND slot IN (SELECT value::bigint FROM json_array_elements_text($2::json))
