-- Each effect counted once per (source, id).
with charged as (
    select * from charges where seq in (select min(seq) from charges group by source, id)
),
refunded as (
    select * from refunds where seq in (select min(seq) from refunds group by source, id)
)
select (select cast(coalesce(sum(cents), 0) as bigint) from charged where outcome = 'taken')
                                                                        as taken_cents,
       (select count(*) from charged where outcome = 'taken')           as taken,
       (select cast(coalesce(sum(cents), 0) as bigint) from charged where outcome = 'refused')
                                                                        as refused_cents,
       (select count(*) from charged where outcome = 'refused')         as refused,
       (select cast(coalesce(sum(cents), 0) as bigint) from refunded)   as refunded_cents,
       (select count(*) from refunded)                                  as refunded
