-- What was asked of customers' cards, and what the bank said. Append-only and without unique
-- constraints: should an event have its effect twice, both rows stand here and are counted.
create table if not exists charges (
    seq      integer primary key,
    source   text    not null,
    id       text    not null,
    attempt  integer not null,
    order_id integer not null,
    customer integer not null,
    cents    integer not null,
    outcome  text    not null
);
create index if not exists charges_by_order on charges (order_id);

create table if not exists refunds (
    seq      integer primary key,
    source   text    not null,
    id       text    not null,
    attempt  integer not null,
    order_id integer not null,
    customer integer not null,
    cents    integer not null
);

create view if not exists effects as
select source, id, attempt from charges
union all
select source, id, attempt from refunds;
