-- What the carrier took, or could not deliver. Append-only and without unique constraints: should an
-- event have its effect twice, both rows stand here and are counted.
create table if not exists parcels (
    seq      bigint generated always as identity primary key,
    source   text    not null,
    id       text    not null,
    attempt  bigint  not null,
    order_id bigint  not null,
    cds      bigint  not null,
    outcome  text    not null
);
create index if not exists parcels_by_order on parcels (order_id);

create or replace view effects as
select source, id, attempt from parcels;
