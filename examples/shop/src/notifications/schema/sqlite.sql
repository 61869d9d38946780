-- What customers were told. Append-only and without unique constraints: should an event have its
-- effect twice, both rows stand here and are counted.
create table if not exists notices (
    seq      integer primary key,
    source   text    not null,
    id       text    not null,
    attempt  integer not null,
    order_id integer not null,
    customer integer not null,
    about    text    not null,
    words    text    not null
);

create view if not exists effects as
select source, id, attempt from notices;
