-- One row per event that a handler has dealt with; a second one for the same event is a duplicate.
select count(*)                                          as received,
       cast(coalesce(sum(attempt - 1), 0) as bigint)     as retried,
       count(*) - (select count(*) from (select distinct source, id from effects) as once)
                                                         as duplicate_effects
from effects
