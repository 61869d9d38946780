SELECT topic, partition, next, cluster_id, topic_id, epoch
FROM tidings_position WHERE consumer_group = $1 ORDER BY topic, partition
