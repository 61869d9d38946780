-- What the carrier took, or could not deliver. Append-only and without unique constraints: should an
-- event have its effect twice, both rows stand here and are counted.
create table if not exists parcels (
    seq      integer primary key,
    source   text    not null,
    id       text    not null,
    attempt  integer not null,
    order_id integer not null,
    cds      integer not null,
    outcome  text    not null
);
create index if not exists parcels_by_order on parcels (order_id);

create view if not exists effects as
select source, id, attempt from parcels;
