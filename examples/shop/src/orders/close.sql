-- The first row about an order decides; no row comes back for an order that was never placed.
insert into outcomes (source, id, attempt, order_id, state)
select $1, $2, $3, order_id,
       coalesce((select state from outcomes where order_id = $4 order by seq limit 1), $5)
from orders
where order_id = $4
returning state
