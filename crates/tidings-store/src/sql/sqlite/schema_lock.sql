-- The write transaction that migrations run in is the lock.
SELECT 1
