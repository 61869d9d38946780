SELECT coalesce((
    SELECT CAST((unixepoch('subsec') - unixepoch(occurred_at, 'subsec')) * 1000 AS INTEGER)
    FROM tidings_outbox ORDER BY position LIMIT 1
), -1)
