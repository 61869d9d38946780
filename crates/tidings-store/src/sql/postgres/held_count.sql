SELECT count(*) FROM tidings_outbox_held
