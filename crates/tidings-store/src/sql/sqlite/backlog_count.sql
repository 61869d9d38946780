SELECT count(*) FROM (SELECT 1 FROM tidings_outbox LIMIT ?1) AS counted
