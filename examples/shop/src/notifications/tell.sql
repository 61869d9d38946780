insert into notices (source, id, attempt, order_id, customer, about, words)
values ($1, $2, $3, $4, $5, $6, $7)
returning words
