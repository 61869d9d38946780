-- Each effect counted once per (source, id).
with sent as (
    select * from parcels where seq in (select min(seq) from parcels group by source, id)
)
select cast(coalesce(sum(cds) filter (where outcome = 'shipped'), 0) as bigint) as shipped_cds,
       count(*) filter (where outcome = 'shipped')                              as shipped,
       cast(coalesce(sum(cds) filter (where outcome = 'failed'), 0) as bigint)  as failed_cds,
       count(*) filter (where outcome = 'failed')                               as failed
from sent
