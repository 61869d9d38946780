-- Orders that have not ended.
select order_id, total_cents from orders
where order_id not in (select order_id from outcomes)
