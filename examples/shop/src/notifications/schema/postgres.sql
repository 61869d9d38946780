-- What customers were told. Append-only and without unique constraints: should an event have its
-- effect twice, both rows stand here and are counted.
create table if not exists notices (
    seq      bigint generated always as identity primary key,
    source   text    not null,
    id       text    not null,
    attempt  bigint  not null,
    order_id bigint  not null,
    customer bigint  not null,
    about    text    not null,
    words    text    not null
);

create or replace view effects as
select source, id, attempt from notices;
