CREATE TABLE IF NOT EXISTS tidings_schema (
    version    bigint PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
)
