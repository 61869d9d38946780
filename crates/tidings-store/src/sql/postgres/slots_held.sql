-- Shared: nobody takes one of them over before this transaction has ended.
SELECT slot, epoch FROM tidings_outbox_slot WHERE holder = $1 ORDER BY slot FOR SHARE
