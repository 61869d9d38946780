SELECT coalesce(min(
    CASE WHEN due_at_ms > until_ms THEN due_at_ms ELSE until_ms END
) - (extract(epoch FROM clock_timestamp()) * 1000)::bigint, 3600000)
FROM tidings_parked_key WHERE due_at_ms IS NOT NULL AND consumer IN (SELECT json_array_elements_text($1::json))
