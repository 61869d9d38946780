"""confluent-kafka (librdkafka) in the suite's vocabulary."""

import json
import sys
import time
from pathlib import Path

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
    libversion,
    version,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from model import PATIENCE_S, Differs, Member, Record, Refused, json_events

NAME = "confluent"
CAN = {
    "admin",
    "commit",
    "time",
    "idempotent",
    "static",
    "cooperative",
    "metadata",
    "raw",
    "null-header",
}


def versions():
    number = version()[0] if isinstance(version(), tuple) else version()
    return f"confluent-kafka {number} on librdkafka {libversion()[0]}"


def answered(future):
    """The result of an admin call, or the broker's refusal."""
    try:
        return future.result(PATIENCE_S)
    except KafkaException as error:
        raise Refused(error.args[0].code(), error.args[0].str()) from None


class Client:
    name = NAME
    can = CAN
    hangs_in_joins = False

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    # topics

    def topics(self):
        found = self.admin.list_topics(timeout=PATIENCE_S).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def cluster(self):
        found = self.admin.list_topics(timeout=PATIENCE_S)
        return [f"{b.host}:{b.port}" for b in found.brokers.values()], found.cluster_id

    def create(self, topic, partitions=1, configs=None):
        new = NewTopic(topic, partitions, 1, config=configs or {})
        answered(self.admin.create_topics([new])[topic])

    def delete(self, topic):
        answered(self.admin.delete_topics([topic])[topic])

    def add_partitions(self, topic, total):
        answered(self.admin.create_partitions([NewPartitions(topic, total)])[topic])

    def configs(self, topic):
        resource = ConfigResource(ResourceType.TOPIC, topic)
        found = answered(self.admin.describe_configs([resource])[resource])
        default = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {name: (entry.value, entry.source != default) for name, entry in found.items()}

    def broker_configs(self):
        resource = ConfigResource(ResourceType.BROKER, str(self.broker_id()))
        return set(answered(self.admin.describe_configs([resource])[resource]))

    def broker_id(self):
        return next(iter(self.admin.list_topics(timeout=PATIENCE_S).brokers))

    def set_config(self, topic, name, value):
        operation = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
        entry = ConfigEntry(name, value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        answered(self.admin.incremental_alter_configs([resource])[resource])

    def delete_records(self, topic, partition, before):
        place = TopicPartition(topic, partition, before)
        return answered(self.admin.delete_records([place])[place]).low_watermark

    # records

    def produce(self, topic, records, codec="none", idempotent=False, acks="all", **more):
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "compression.type": codec,
                "enable.idempotence": idempotent,
                "acks": acks,
                "linger.ms": 5,
                "message.timeout.ms": int(PATIENCE_S * 1000),
                **more,
            }
        )
        places, errors = [], []

        def delivered(error, message):
            if error is not None:
                errors.append(error)
            else:
                places.append((message.partition(), message.offset()))

        for record in records:
            fields = {"value": encoded(record.value), "key": encoded(record.key)}
            if record.headers:
                fields["headers"] = [(name, encoded(value)) for name, value in record.headers]
            if record.partition is not None:
                fields["partition"] = record.partition
            if record.timestamp is not None:
                fields["timestamp"] = record.timestamp
            while True:
                try:
                    producer.produce(topic, on_delivery=delivered, **fields)
                    break
                except BufferError:
                    producer.poll(0.05)
                except KafkaException as error:
                    raise Refused(error.args[0].code(), error.args[0].str()) from None
        left = producer.flush(PATIENCE_S)
        if errors:
            raise Refused(errors[0].code(), errors[0].str())
        if left:
            raise Differs(f"{left} records were never answered")
        return places

    def transaction(self, topic, transactional_id):
        """One record in a transaction of its own."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "transactional.id": transactional_id}
        )
        try:
            producer.init_transactions(PATIENCE_S)
            producer.begin_transaction()
            producer.produce(topic, b"in a transaction")
            producer.commit_transaction(PATIENCE_S)
        except KafkaException as error:
            raise Refused(error.args[0].code(), error.args[0].str()) from None

    def consume(self, topic, partition=None, start="beginning", count=None, reset="error", **more):
        """Reads to the end, or until `count` records came."""
        consumer = self.consumer(f"reader-{topic}", **{"auto.offset.reset": reset, **more})
        try:
            partitions = [partition] if partition is not None else self.partitions(topic)
            consumer.assign([self.place(consumer, topic, p, start) for p in partitions])
            return self.drain(consumer, set(partitions), count)
        finally:
            consumer.close()

    def drain(self, consumer, open_partitions, count):
        records, deadline = [], time.monotonic() + PATIENCE_S
        while open_partitions and (count is None or len(records) < count):
            if time.monotonic() > deadline:
                raise Differs(f"consume hangs after {len(records)} records, at {open_partitions}")
            message = consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                records.append(read(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                open_partitions.discard(message.partition())
                if count is not None:
                    open_partitions.add(message.partition())
            else:
                raise Refused(error.code(), error.str())
        return records

    def place(self, consumer, topic, partition, start):
        if isinstance(start, int):
            return TopicPartition(topic, partition, start)
        if isinstance(start, tuple):
            found = consumer.offsets_for_times(
                [TopicPartition(topic, partition, start[1])], timeout=PATIENCE_S
            )
            return found[0]
        return TopicPartition(topic, partition, {"beginning": -2, "end": -1}[start])

    def consumer(self, group, **more):
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                **more,
            }
        )

    def partitions(self, topic):
        # The admin client's own question for one topic lets the broker create it.
        asking = self.consumer("asking", **{"allow.auto.create.topics": False})
        try:
            found = asking.list_topics(topic, timeout=PATIENCE_S).topics[topic]
        finally:
            asking.close()
        if found.error is not None:
            raise Refused(found.error.code(), found.error.str())
        return sorted(found.partitions)

    def ends(self, topic, partition):
        consumer = self.consumer("watermarks")
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), PATIENCE_S)
        finally:
            consumer.close()

    def offset_for_time(self, topic, partition, time_ms):
        place = TopicPartition(topic, partition)
        spec = OffsetSpec.for_timestamp(time_ms)
        return answered(self.admin.list_offsets({place: spec})[place]).offset

    def offset_of_max_timestamp(self, topic, partition):
        place = TopicPartition(topic, partition)
        found = answered(self.admin.list_offsets({place: OffsetSpec.max_timestamp()})[place])
        return found.offset, found.timestamp

    # groups

    def commit(self, group, topic, offsets):
        consumer = self.consumer(group)
        try:
            places = [TopicPartition(topic, p, o, m) for p, (o, m) in offsets.items()]
            done = consumer.commit(offsets=places, asynchronous=False)
            for place in done:
                if place.error is not None:
                    raise Refused(place.error.code(), place.error.str())
        except KafkaException as error:
            raise Refused(error.args[0].code(), error.args[0].str()) from None
        finally:
            consumer.close()

    def committed(self, group, topic, partitions):
        """partition -> (offset, metadata), or None where nothing is committed."""
        asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, p) for p in partitions])
        found = answered(self.admin.list_consumer_group_offsets([asked])[group]).topic_partitions
        return {p.partition: None if p.offset < 0 else (p.offset, p.metadata or "") for p in found}

    def groups(self):
        found = answered(self.admin.list_consumer_groups())
        return {group.group_id for group in found.valid}

    def group(self, group):
        found = answered(self.admin.describe_consumer_groups([group])[group])
        members = [
            {
                "client": member.client_id,
                "instance": member.group_instance_id,
                "partitions": sorted(tp.partition for tp in member.assignment.topic_partitions),
            }
            for member in found.members
        ]
        return {"state": found.state.name, "members": members}

    def delete_group(self, group):
        answered(self.admin.delete_consumer_groups([group])[group])

    def member(self, group, topic, strategy="eager", instance=None, session_ms=6000):
        options = {
            "bootstrap": self.bootstrap,
            "group": group,
            "topic": topic,
            "strategy": strategy,
            "instance": instance,
            "session_ms": session_ms,
        }
        program = Path(__file__).with_name("member.py")
        return Member([sys.executable, str(program), NAME, json.dumps(options)], json_events)


def encoded(text):
    return None if text is None else text.encode()


def read(message):
    headers = tuple(
        (name, None if value is None else value.decode()) for name, value in message.headers() or ()
    )
    return Record(
        value=None if message.value() is None else message.value().decode(),
        key=None if message.key() is None else message.key().decode(),
        headers=headers,
        partition=message.partition(),
        timestamp=message.timestamp()[1],
        offset=message.offset(),
    )
