UPDATE tidings_parked_key SET until_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2 WHERE holder = $1
