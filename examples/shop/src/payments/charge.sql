-- The first row about an order decides: a repeat gets the outcome that was given before.
insert into charges (source, id, attempt, order_id, customer, cents, outcome)
values ($1, $2, $3, $4, $5, $6,
        coalesce((select outcome from charges where order_id = $4 order by seq limit 1), $7))
returning outcome
