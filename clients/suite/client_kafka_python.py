"""kafka-python (a client of its own, not librdkafka) in the suite's vocabulary."""

import json
import sys
import time
from pathlib import Path

import kafka.errors
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec, OffsetTimestamp
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from model import PATIENCE_S, Differs, Member, Record, Refused, json_events

NAME = "kafka-python"
CAN = {"admin", "commit", "time", "idempotent", "static", "cooperative", "metadata", "raw"}
RESETS = {"error": "none", "earliest": "earliest", "latest": "latest"}


def versions():
    return f"kafka-python {kafka.__version__}"


def code_of(error):
    """Kafka's number; errors of the client itself have none and count as -1."""
    return getattr(error, "errno", None) or -1


class Client:
    name = NAME
    can = CAN
    # Seen on Apache Kafka and on ours (docs/compatibility.md): such a scenario may be tried twice.
    hangs_in_joins = True

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap, client_id="suite-admin")

    def asked(self, call, *args, **more):
        try:
            return call(*args, **more)
        except KafkaError as error:
            raise Refused(code_of(error), f"{type(error).__name__}: {error}") from None

    # topics

    def topics(self):
        return {t["name"]: len(t["partitions"]) for t in self.admin.describe_topics()}

    def cluster(self):
        found = self.asked(self.admin.describe_cluster)
        return [f"{b['host']}:{b['port']}" for b in found["brokers"]], found["cluster_id"]

    def create(self, topic, partitions=1, configs=None):
        new = {"num_partitions": partitions, "replication_factor": 1, "configs": configs or {}}
        self.asked(self.admin.create_topics, {topic: new})

    def delete(self, topic):
        self.asked(self.admin.delete_topics, [topic])

    def add_partitions(self, topic, total):
        self.asked(self.admin.create_partitions, {topic: total})

    def configs(self, topic):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        found = self.asked(self.admin.describe_configs, [resource], config_filter="all")
        return {
            name: (entry["value"], entry["config_source"] != "DYNAMIC_TOPIC_CONFIG")
            for name, entry in found["topic"][topic].items()
        }

    def broker_configs(self):
        broker = str(self.admin.describe_cluster()["brokers"][0]["broker_id"])
        resource = ConfigResource(ConfigResourceType.BROKER, broker)
        return set(
            self.asked(self.admin.describe_configs, [resource], config_filter="all")["broker"][
                broker
            ]
        )

    def set_config(self, topic, name, value):
        change = {name: ("DELETE", None) if value is None else value}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, change)
        said = self.asked(self.admin.alter_configs, [resource], raise_on_unknown=False)["topic"][
            topic
        ]
        if said != "OK":
            number = said.partition("Error ")[2].partition("]")[0]
            raise Refused(int(number) if number.isdigit() else -1, said)

    def delete_records(self, topic, partition, before):
        place = TopicPartition(topic, partition)
        return self.asked(self.admin.delete_records, {place: before})[place]["low_watermark"]

    # records

    def produce(self, topic, records, codec="none", idempotent=False, acks="all", **more):
        # Other clients' names for the same things.
        if "message.max.bytes" in more:
            more = {"max_request_size": more["message.max.bytes"]}
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            compression_type=None if codec == "none" else codec,
            enable_idempotence=idempotent,
            acks=acks,
            linger_ms=5,
            delivery_timeout_ms=int(PATIENCE_S * 1000),
            request_timeout_ms=10_000,
            **more,
        )
        try:
            sent = [self.asked(self.send, producer, topic, record) for record in records]
            producer.flush(PATIENCE_S)
            done = [self.asked(one.get, PATIENCE_S) for one in sent]
            return [(one.partition, one.offset) for one in done]
        finally:
            producer.close(PATIENCE_S)

    def send(self, producer, topic, record):
        return producer.send(
            topic,
            value=encoded(record.value),
            key=encoded(record.key),
            headers=[(name, encoded(value)) for name, value in record.headers],
            partition=record.partition,
            timestamp_ms=record.timestamp,
        )

    def transaction(self, topic, transactional_id):
        """One record in a transaction of its own."""
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            transactional_id=transactional_id,
            max_block_ms=int(PATIENCE_S * 1000),
        )
        try:
            self.asked(producer.init_transactions)
            producer.begin_transaction()
            producer.send(topic, b"in a transaction")
            self.asked(producer.commit_transaction)
        finally:
            producer.close(1)

    def consume(self, topic, partition=None, start="beginning", count=None, reset="error", **more):
        """Reads to the end, or until `count` records came."""
        consumer = self.consumer(None, auto_offset_reset=RESETS[reset])
        try:
            partitions = [partition] if partition is not None else self.partitions(topic)
            places = [TopicPartition(topic, p) for p in partitions]
            consumer.assign(places)
            ends = self.asked(consumer.end_offsets, places)
            for place in places:
                self.seek(consumer, place, start)
            return self.asked(self.drain, consumer, places, ends, count)
        finally:
            consumer.close()

    def seek(self, consumer, place, start):
        if isinstance(start, int):
            consumer.seek(place, start)
        elif isinstance(start, tuple):
            found = consumer.offsets_for_times({place: start[1]})[place]
            consumer.seek(place, found.offset) if found else consumer.seek_to_end(place)
        elif start == "beginning":
            consumer.seek_to_beginning(place)
        else:
            consumer.seek_to_end(place)

    def drain(self, consumer, places, ends, count):
        records, deadline = [], time.monotonic() + PATIENCE_S

        def more_to_come():
            if count is not None:
                return len(records) < count
            return any(consumer.position(place) < ends[place] for place in places)

        # One poll at least: a start beyond the end is noticed by the fetch only.
        first = True
        while first or more_to_come():
            first = False
            if time.monotonic() > deadline:
                raise Differs(f"consume hangs after {len(records)} records")
            for batch in consumer.poll(timeout_ms=300).values():
                records.extend(read(record) for record in batch)
        return records

    def consumer(self, group, **more):
        return KafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False, **more
        )

    def partitions(self, topic):
        found = self.admin.describe_topics([topic])[0]
        if found["error_code"]:
            raise Refused(found["error_code"])
        return sorted(p["partition_index"] for p in found["partitions"])

    def ends(self, topic, partition):
        place = TopicPartition(topic, partition)
        low = self.asked(self.admin.list_partition_offsets, {place: OffsetSpec.EARLIEST})
        high = self.asked(self.admin.list_partition_offsets, {place: OffsetSpec.LATEST})
        return low[place].offset, high[place].offset

    def offset_for_time(self, topic, partition, time_ms):
        place = TopicPartition(topic, partition)
        spec = OffsetTimestamp(time_ms)
        return self.asked(self.admin.list_partition_offsets, {place: spec})[place].offset

    def offset_of_max_timestamp(self, topic, partition):
        place = TopicPartition(topic, partition)
        spec = OffsetSpec.MAX_TIMESTAMP
        found = self.asked(self.admin.list_partition_offsets, {place: spec})[place]
        return found.offset, found.timestamp

    # groups

    def commit(self, group, topic, offsets):
        wanted = {
            TopicPartition(topic, p): OffsetAndMetadata(o, m) for p, (o, m) in offsets.items()
        }
        for error in self.asked(self.admin.alter_group_offsets, group, wanted).values():
            if error.errno:
                raise Refused(error.errno, error.__name__)

    def committed(self, group, topic, partitions):
        """partition -> (offset, metadata), or None where nothing is committed."""
        places = [TopicPartition(topic, p) for p in partitions]
        found = self.asked(self.admin.list_group_offsets, {group: places})[group]
        return {
            p.partition: None if o.offset < 0 else (o.offset, o.metadata or "")
            for p, o in found.items()
        }

    def groups(self):
        return {group["group_id"] for group in self.asked(self.admin.list_groups)}

    def group(self, group):
        found = self.asked(self.admin.describe_groups, [group])[group]
        members = []
        for member in found["members"]:
            topics = (member["member_assignment"] or {}).get("assigned_partitions", [])
            members.append(
                {
                    "client": member["client_id"],
                    "instance": member.get("group_instance_id"),
                    "partitions": sorted(p for topic in topics for p in topic["partitions"]),
                }
            )
        return {"state": found["group_state"].upper().replace(" ", "_"), "members": members}

    def delete_group(self, group):
        said = self.asked(self.admin.delete_groups, [group])[group]
        if said != "OK":
            raise Refused(getattr(kafka.errors, said).errno, said)

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


def read(record):
    headers = tuple(
        (name, None if value is None else value.decode()) for name, value in record.headers
    )
    return Record(
        value=None if record.value is None else record.value.decode(),
        key=None if record.key is None else record.key.decode(),
        headers=headers,
        partition=record.partition,
        timestamp=record.timestamp,
        offset=record.offset,
    )
