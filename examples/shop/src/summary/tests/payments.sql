insert into charges (source, id, attempt, order_id, customer, cents, outcome) values
    ('/orders', 'o1', 1, 1, 7, 2000, 'taken'),
    ('/orders', 'o2', 1, 2, 8, 1000, 'refused'),
    ('/orders', 'o3', 1, 3, 9, 3000, 'taken'),
    ('/orders', 'o4', 1, 4, 7, 4000, 'taken');
insert into refunds (source, id, attempt, order_id, customer, cents) values
    ('/inventory', 'i3', 1, 3, 9, 3000),
    ('/inventory', 'b4', 1, 4, 7, 4000);
