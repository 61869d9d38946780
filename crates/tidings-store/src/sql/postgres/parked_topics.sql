SELECT DISTINCT topic, consumer_group FROM (
    SELECT topic, consumer_group FROM tidings_parked WHERE cause IS NOT NULL LIMIT $1
) AS looked_at
