DELETE FROM tidings_outbox_held WHERE position = ?1
