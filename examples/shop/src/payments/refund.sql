-- Gives back what was taken; no row comes back when nothing was.
insert into refunds (source, id, attempt, order_id, customer, cents)
select $1, $2, $3, order_id, customer, cents
from charges
where order_id = $4 and outcome = 'taken'
order by seq
limit 1
returning customer, cents
