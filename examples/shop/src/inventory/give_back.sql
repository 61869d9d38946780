-- Puts back what was set aside; no row comes back when nothing was.
insert into returns (source, id, attempt, order_id, cds)
select $1, $2, $3, order_id, cds
from reservations
where order_id = $4 and outcome = 'reserved'
order by seq
limit 1
returning cds
