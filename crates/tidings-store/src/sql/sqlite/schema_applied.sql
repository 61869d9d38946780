INSERT INTO tidings_schema (version) VALUES (?1)
