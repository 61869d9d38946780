insert into orders (order_id, event_id, customer, bought_on, cds, total_cents)
values ($1, $2, $3, $4, $5, $6)
returning order_id
