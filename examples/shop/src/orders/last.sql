select coalesce(max(order_id), 0) as order_id from orders
