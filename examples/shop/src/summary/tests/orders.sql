insert into orders (order_id, event_id, customer, bought_on, cds, total_cents) values
    (1, 'o1', 7, '1997-01-01', 2, 2000),
    (2, 'o2', 8, '1997-01-01', 1, 1000),
    (3, 'o3', 9, '1997-01-02', 12, 3000),
    (4, 'o4', 7, '1997-01-02', 4, 4000);
insert into announced (order_id) values (1), (2), (3), (4);
insert into outcomes (source, id, attempt, order_id, state) values
    ('/shipping', 's1', 1, 1, 'completed'),
    ('/payments', 'p2', 1, 2, 'refused'),
    ('/payments', 'r3', 1, 3, 'cancelled'),
    ('/payments', 'r4', 1, 4, 'cancelled');
