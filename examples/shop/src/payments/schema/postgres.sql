-- What was asked of customers' cards, and what the bank said. Append-only and without unique
-- constraints: should an event have its effect twice, both rows stand here and are counted.
create table if not exists charges (
    seq      bigint generated always as identity primary key,
    source   text    not null,
    id       text    not null,
    attempt  bigint  not null,
    order_id bigint  not null,
    customer bigint  not null,
    cents    bigint  not null,
    outcome  text    not null
);
create index if not exists charges_by_order on charges (order_id);

create table if not exists refunds (
    seq      bigint generated always as identity primary key,
    source   text    not null,
    id       text    not null,
    attempt  bigint  not null,
    order_id bigint  not null,
    customer bigint  not null,
    cents    bigint  not null
);

create or replace view effects as
select source, id, attempt from charges
union all
select source, id, attempt from refunds;
