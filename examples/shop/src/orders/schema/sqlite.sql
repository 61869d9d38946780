-- What this shop has sold. The row is written before the order is announced, and its event's id with
-- it, so that a repeat after a crash announces the same event.
create table if not exists orders (
    order_id    integer primary key,
    event_id    text    not null,
    customer    integer not null,
    bought_on   text    not null,
    cds         integer not null,
    total_cents integer not null
);

-- The broker has acknowledged order.placed.
create table if not exists announced (
    seq      integer primary key,
    order_id integer not null
);
create index if not exists announced_by_order on announced (order_id);

-- How orders ended; the first row of an order is its final state. No unique constraint: should an
-- event have its effect twice, both rows stand here and are counted.
create table if not exists outcomes (
    seq      integer primary key,
    source   text    not null,
    id       text    not null,
    attempt  integer not null,
    order_id integer not null,
    state    text    not null
);
create index if not exists outcomes_by_order on outcomes (order_id);

create view if not exists effects as
select source, id, attempt from outcomes;
