-- What was set aside for orders. Append-only and without unique constraints: should an event have
-- its effect twice, both rows stand here and are counted.
create table if not exists reservations (
    seq      bigint generated always as identity primary key,
    source   text    not null,
    id       text    not null,
    attempt  bigint  not null,
    order_id bigint  not null,
    cds      bigint  not null,
    outcome  text    not null
);
create index if not exists reservations_by_order on reservations (order_id);

create table if not exists returns (
    seq      bigint generated always as identity primary key,
    source   text    not null,
    id       text    not null,
    attempt  bigint  not null,
    order_id bigint  not null,
    cds      bigint  not null
);

create or replace view effects as
select source, id, attempt from reservations
union all
select source, id, attempt from returns;
