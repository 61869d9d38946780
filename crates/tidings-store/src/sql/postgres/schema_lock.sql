-- Instances that start together migrate one after the other. The number is "tidings" in ASCII.
SELECT 1 FROM (SELECT pg_advisory_xact_lock(32766977284925299)) AS locked
