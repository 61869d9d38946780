-- The first row about an order is its end, whatever came again later.
with final as (
    select o.total_cents, o.cds, e.state
    from orders o
    left join outcomes e
      on e.order_id = o.order_id
     and e.seq = (select min(seq) from outcomes first where first.order_id = o.order_id)
)
select count(*)                                    as placed,
       count(*) filter (where state = 'completed') as completed,
       count(*) filter (where state = 'refused')   as refused,
       count(*) filter (where state = 'cancelled') as cancelled,
       cast(coalesce(sum(total_cents), 0) as bigint) as ordered_cents,
       cast(coalesce(sum(total_cents) filter (where state = 'completed'), 0) as bigint)
                                                   as completed_cents,
       cast(coalesce(sum(total_cents) filter (where state = 'refused'), 0) as bigint)
                                                   as refused_cents,
       cast(coalesce(sum(total_cents) filter (where state = 'cancelled'), 0) as bigint)
                                                   as cancelled_cents,
       cast(coalesce(sum(cds) filter (where state = 'completed'), 0) as bigint)
                                                   as completed_cds,
       (select count(*) from announced)            as announced
from final
