UPDATE tidings_inbox SET outcome = ?4
WHERE consumer = ?1 AND source = ?2 AND id = ?3 AND outcome = 'parked'
