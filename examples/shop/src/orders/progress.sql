select (select count(*) from orders) as placed,
       (select count(distinct order_id) from outcomes) as finished
