-- What a kill left between the row and the broker's acknowledgement, oldest first.
select order_id, event_id, customer, bought_on, cds, total_cents
from orders
where order_id not in (select order_id from announced)
order by order_id
