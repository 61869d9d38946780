-- The update changes nothing and takes the lock.
INSERT INTO tidings_parked_key (consumer, topic, lane) VALUES ($1, $2, $3)
ON CONFLICT (consumer, topic, lane) DO UPDATE SET topic = excluded.topic
