insert into notices (source, id, attempt, order_id, customer, about, words) values
    ('/payments', 'p1', 1, 1, 7, 'paid', 'thank you'),
    ('/payments', 'p2', 1, 2, 8, 'refused', 'sorry'),
    ('/payments', 'p3', 1, 3, 9, 'paid', 'thank you'),
    ('/payments', 'p4', 1, 4, 7, 'paid', 'thank you'),
    ('/shipping', 's1', 1, 1, 7, 'shipped', 'on the way'),
    ('/payments', 'r3', 1, 3, 9, 'refunded', 'money back'),
    ('/payments', 'r4', 1, 4, 7, 'refunded', 'money back');
