-- One statement, so that the position is taken when the key's lock is held. It ends with the
-- transaction; whoever publishes the same key next waits for it, and gets a higher position.
WITH lock AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended($2::text || chr(31) || $3::text, 0))
)
INSERT INTO tidings_outbox
    (position, id, aggregatetype, aggregateid, type, payload, topic, key, headers, slot)
SELECT nextval('tidings_outbox_position'), $1::uuid, $2, $3, $4, $5, $2, $6, $7, $8 FROM lock
RETURNING position
