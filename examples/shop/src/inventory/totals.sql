-- Each effect counted once per (source, id).
with asked as (
    select * from reservations where seq in (select min(seq) from reservations group by source, id)
),
returned as (
    select * from returns where seq in (select min(seq) from returns group by source, id)
)
select (select cast(coalesce(sum(cds), 0) as bigint) from asked where outcome = 'reserved')
                                                              as reserved_cds,
       (select count(*) from asked)                           as asked,
       (select count(*) from asked where outcome = 'short')   as short,
       (select cast(coalesce(sum(cds), 0) as bigint) from returned)
                                                              as returned_cds,
       (select count(*) from returned)                        as returned
