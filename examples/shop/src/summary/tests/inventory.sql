insert into reservations (source, id, attempt, order_id, cds, outcome) values
    ('/payments', 'p1', 1, 1, 2, 'reserved'),
    ('/payments', 'p3', 1, 3, 12, 'short'),
    ('/payments', 'p4', 1, 4, 4, 'reserved');
insert into returns (source, id, attempt, order_id, cds) values
    ('/shipping', 's4', 1, 4, 4);
