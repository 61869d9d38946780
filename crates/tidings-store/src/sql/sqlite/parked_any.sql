SELECT 1 FROM tidings_parked WHERE consumer = ?1 AND topic = ?2 AND lane = ?3 LIMIT 1
