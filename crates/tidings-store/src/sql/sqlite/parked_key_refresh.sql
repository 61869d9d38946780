UPDATE tidings_parked_key SET due_at_ms = (
    SELECT due_at_ms FROM tidings_parked WHERE consumer = ?1 AND topic = ?2 AND lane = ?3
    ORDER BY number LIMIT 1
)
WHERE consumer = ?1 AND topic = ?2 AND lane = ?3
