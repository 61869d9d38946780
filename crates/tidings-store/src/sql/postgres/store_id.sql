SELECT id FROM tidings_store
