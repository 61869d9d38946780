-- Each effect counted once per (source, id).
with sent as (
    select * from parcels where seq in (select min(seq) from parcels group by source, id)
)
select (select coalesce(sum(cds), 0) from sent where outcome = 'shipped') as shipped_cds,
       (select count(*) from sent where outcome = 'shipped')              as shipped,
       (select coalesce(sum(cds), 0) from sent where outcome = 'failed')  as failed_cds,
       (select count(*) from sent where outcome = 'failed')               as failed
