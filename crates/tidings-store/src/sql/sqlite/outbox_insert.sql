INSERT INTO tidings_outbox
    (id, aggregatetype, aggregateid, type, payload, topic, key, headers, slot)
VALUES (?1, ?2, ?3, ?4, ?5, ?2, ?6, ?7, ?8)
RETURNING position
