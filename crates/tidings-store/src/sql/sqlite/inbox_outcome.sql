SELECT outcome FROM tidings_inbox WHERE consumer = ?1 AND source = ?2 AND id = ?3
