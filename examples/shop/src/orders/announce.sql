insert into announced (order_id) values ($1) returning seq
