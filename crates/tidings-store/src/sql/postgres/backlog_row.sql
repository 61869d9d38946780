SELECT position, slot, topic, key, payload, headers FROM tidings_outbox WHERE position = $1
