"""One consumer group member as a process: reports its assignment and records as JSON lines.

Usage: member.py confluent|kafka-python JSON, where JSON holds bootstrap, group, topic, strategy
("eager" or "cooperative"), instance (or null), session_ms. Ends when standard input does.
"""

import json
import logging
import sys
import threading


def say(**event):
    print(json.dumps(event), flush=True)


def ended_with_stdin():
    """An event that is set when standard input closes."""
    ended = threading.Event()

    def follow():
        sys.stdin.read()
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    return ended


def confluent(options, ended):
    from confluent_kafka import Consumer

    settings = {
        "bootstrap.servers": options["bootstrap"],
        "group.id": options["group"],
        "auto.offset.reset": "earliest",
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 200,
        "session.timeout.ms": options["session_ms"],
        "heartbeat.interval.ms": 500,
        "fetch.wait.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 1000,
    }
    cooperative = options["strategy"] == "cooperative"
    settings["partition.assignment.strategy"] = "cooperative-sticky" if cooperative else "range"
    if options.get("instance"):
        settings["group.instance.id"] = options["instance"]
    consumer = Consumer(settings)
    reported = None
    consumer.subscribe([options["topic"]])
    while not ended.is_set():
        message = consumer.poll(0.1)
        assigned = sorted((tp.topic, tp.partition) for tp in consumer.assignment())
        if assigned != reported:
            reported = assigned
            say(assigned=assigned)
        if message is not None and not message.error():
            say(record=[message.partition(), message.offset(), text(message.value())])
    consumer.close()


def kafka_python(options, ended):
    from kafka import KafkaConsumer
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor

    cooperative = options["strategy"] == "cooperative"
    assignor = CooperativeStickyAssignor if cooperative else RangePartitionAssignor
    consumer = KafkaConsumer(
        bootstrap_servers=options["bootstrap"],
        group_id=options["group"],
        group_instance_id=options.get("instance"),
        auto_offset_reset="earliest",
        auto_commit_interval_ms=200,
        session_timeout_ms=options["session_ms"],
        heartbeat_interval_ms=500,
        fetch_max_wait_ms=100,
        metadata_max_age_ms=1000,
        partition_assignment_strategy=(assignor,),
    )
    consumer.subscribe([options["topic"]])
    # A leader of this client joins again when the topics look otherwise than when it shared them
    # out, and such a join is forgotten, for ever, if a poll ends before its answer is there. So the
    # topics are asked for before the first join, which takes nothing but an answer about all of
    # them, and a poll has time. Seen on Apache Kafka as on ours.
    while options["topic"] not in consumer.topics() and not ended.wait(0.1):
        pass
    reported = None
    while not ended.is_set():
        batches = consumer.poll(timeout_ms=500)
        assigned = sorted((tp.topic, tp.partition) for tp in consumer.assignment())
        if assigned != reported:
            reported = assigned
            say(assigned=assigned)
        for records in batches.values():
            for record in records:
                say(record=[record.partition, record.offset, text(record.value)])
    consumer.close()


def text(value):
    return None if value is None else value.decode()


if __name__ == "__main__":
    # What the client has to say about itself goes to standard error, for a failure's message.
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("kafka.cluster").setLevel(logging.WARNING)
    run = {"confluent": confluent, "kafka-python": kafka_python}[sys.argv[1]]
    run(json.loads(sys.argv[2]), ended_with_stdin())
