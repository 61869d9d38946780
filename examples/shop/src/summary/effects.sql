-- One row per event that a handler has dealt with; a second one for the same event is a duplicate.
select count(*)                                              as received,
       coalesce(sum(attempt - 1), 0)                         as retried,
       count(*) - count(distinct source || char(31) || id)   as duplicate_effects
from effects
