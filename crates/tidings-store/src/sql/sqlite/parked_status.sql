-- No more than so many rows are counted: a scan takes time.
SELECT topic, count(*), CAST(unixepoch('subsec') * 1000 AS INTEGER) - min(parked_at_ms)
FROM (SELECT topic, parked_at_ms FROM tidings_parked LIMIT ?1) AS counted
GROUP BY topic
