-- Each effect counted once per (source, id).
with told as (
    select * from notices where seq in (select min(seq) from notices group by source, id)
)
select count(*) filter (where about = 'paid')     as paid,
       count(*) filter (where about = 'refused')  as refused,
       count(*) filter (where about = 'shipped')  as shipped,
       count(*) filter (where about = 'refunded') as refunded
from told
