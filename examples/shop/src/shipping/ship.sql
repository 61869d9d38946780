-- The first row about an order decides: a repeat gets the outcome that was given before.
insert into parcels (source, id, attempt, order_id, cds, outcome)
values ($1, $2, $3, $4, $5,
        coalesce((select outcome from parcels where order_id = $4 order by seq limit 1), $6))
returning outcome
