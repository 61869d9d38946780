SELECT due_at_ms FROM tidings_parked_key WHERE consumer = ?1 AND topic = ?2 AND lane = ?3
