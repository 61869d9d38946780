SELECT slot, epoch FROM tidings_outbox_slot WHERE holder = ?1 ORDER BY slot
