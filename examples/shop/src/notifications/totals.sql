-- Each effect counted once per (source, id).
with told as (
    select * from notices where seq in (select min(seq) from notices group by source, id)
)
select coalesce(sum(about = 'paid'), 0)     as paid,
       coalesce(sum(about = 'refused'), 0)  as refused,
       coalesce(sum(about = 'shipped'), 0)  as shipped,
       coalesce(sum(about = 'refunded'), 0) as refunded
from told
