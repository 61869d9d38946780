insert into parcels (source, id, attempt, order_id, cds, outcome) values
    ('/inventory', 'i1', 4, 1, 2, 'shipped'),
    ('/inventory', 'i4', 1, 4, 4, 'failed');
