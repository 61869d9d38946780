-- No more than so many rows are counted: a scan takes time.
SELECT topic, count(*), (extract(epoch FROM clock_timestamp()) * 1000)::bigint - min(parked_at_ms)
FROM (SELECT topic, parked_at_ms FROM tidings_parked LIMIT $1) AS counted
GROUP BY topic
