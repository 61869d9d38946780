-- Keys whose first event waits for a person; the tables are the library's (docs/formats/store.md).
select distinct p.key
from tidings_parked p
join tidings_parked_key k
  on k.consumer = p.consumer and k.topic = p.topic and k.lane = p.lane
where k.due_at_ms is null and p.key is not null
