-- Each effect counted once per (source, id), then the first one about an order.
with once as (
    select order_id, state, min(seq) from outcomes
    where seq in (select min(seq) from outcomes group by source, id)
    group by order_id
),
final as (
    select o.total_cents, o.cds, coalesce(once.state, 'placed') as state
    from orders o left join once using (order_id)
)
select count(*)                                                          as placed,
       coalesce(sum(state = 'completed'), 0)                             as completed,
       coalesce(sum(state = 'refused'), 0)                               as refused,
       coalesce(sum(state = 'cancelled'), 0)                             as cancelled,
       coalesce(sum(total_cents), 0)                                     as ordered_cents,
       coalesce(sum(case when state = 'completed' then total_cents end), 0) as completed_cents,
       coalesce(sum(case when state = 'refused' then total_cents end), 0)   as refused_cents,
       coalesce(sum(case when state = 'cancelled' then total_cents end), 0) as cancelled_cents,
       coalesce(sum(case when state = 'completed' then cds end), 0)      as completed_cds,
       (select count(*) from announced)                                  as announced
from final
