-- Orders whose customer knows how it ended.
select count(distinct order_id) as told
from notices
where about in ('refused', 'shipped', 'refunded')
