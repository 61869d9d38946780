SELECT coalesce(max(version), 0) FROM tidings_schema
