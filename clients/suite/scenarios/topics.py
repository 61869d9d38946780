"""Topics and their settings: list, create, grow, delete, read and change configs, first use."""

from model import Record, refused, same, true, until
from scenarios import scenario

TOPIC_EXISTS, UNKNOWN_TOPIC, INVALID_TOPIC, INVALID_PARTITIONS, INVALID_CONFIG = 36, 3, 17, 37, 40

# What a client may rely on to find in a topic's description, set or not.
TOPIC_CONFIGS = {
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
    "segment.bytes": "1073741824",
    "compression.type": "producer",
}


@scenario()
def cluster_is_listed(t):
    addresses, cluster_id = t.client.cluster()
    same(addresses, [t.bootstrap], "the brokers that are advertised")
    true(cluster_id, "a cluster has an id")


@scenario("admin")
def topic_is_created_listed_deleted(t):
    topic = t.topic()
    t.client.create(topic, partitions=3)
    until(f"{topic} is listed", lambda: t.client.topics().get(topic) == 3)
    t.client.produce(topic, [Record("before", partition=0)])
    t.client.delete(topic)
    until(f"{topic} is gone", lambda: topic not in t.client.topics())
    t.client.create(topic, partitions=2)
    until(f"{topic} is back", lambda: t.client.topics().get(topic) == 2)
    same(
        t.client.produce(topic, [Record("after", partition=0)]),
        [(0, 0)],
        "a fresh log's first place",
    )
    same([r.value for r in t.client.consume(topic)], ["after"], "records of the new topic")


@scenario("admin")
def wrong_topics_are_refused(t):
    topic = t.topic()
    t.client.create(topic)
    until("listed", lambda: topic in t.client.topics())
    refused(TOPIC_EXISTS, "creating it twice", lambda: t.client.create(topic))
    refused(UNKNOWN_TOPIC, "deleting what is not there", lambda: t.client.delete(t.topic("none")))
    refused(INVALID_TOPIC, "a name with a space", lambda: t.client.create("no such name"))
    refused(INVALID_TOPIC, "a name of 250 letters", lambda: t.client.create("x" * 250))
    refused(
        INVALID_CONFIG,
        "an unknown setting",
        lambda: t.client.create(t.topic("odd"), configs={"no.such.setting": "1"}),
    )
    refused(
        INVALID_CONFIG,
        "a setting that does not parse",
        lambda: t.client.create(t.topic("odd"), configs={"retention.ms": "soon"}),
    )


@scenario("admin")
def partitions_are_added(t):
    topic = t.topic()
    t.client.create(topic, partitions=1)
    until("listed", lambda: topic in t.client.topics())
    t.client.produce(topic, [Record("one", partition=0)])
    t.client.add_partitions(topic, 3)
    until("three partitions", lambda: t.client.topics().get(topic) == 3)
    t.client.produce(topic, [Record("two", partition=2)])
    same(sorted(r.value for r in t.client.consume(topic)), ["one", "two"], "records")
    refused(INVALID_PARTITIONS, "fewer partitions", lambda: t.client.add_partitions(topic, 2))


@scenario("admin")
def configs_are_read_with_defaults(t):
    topic = t.topic()
    t.client.create(topic, configs={"retention.ms": "3600000"})
    until("listed", lambda: topic in t.client.topics())
    found = t.client.configs(topic)
    for name, default in TOPIC_CONFIGS.items():
        want = ("3600000", False) if name == "retention.ms" else (default, True)
        same(found.get(name), want, f"{name} (value, is default)")
    true(len(t.client.broker_configs()) > 0, "a broker describes its settings")


@scenario("admin")
def configs_are_changed(t):
    topic = t.topic()
    t.client.create(topic)
    until("listed", lambda: topic in t.client.topics())
    t.client.set_config(topic, "retention.ms", "7200000")
    until("set", lambda: t.client.configs(topic)["retention.ms"] == ("7200000", False))
    t.client.set_config(topic, "max.message.bytes", "5000")
    until("set", lambda: t.client.configs(topic)["max.message.bytes"] == ("5000", False))
    same(t.client.configs(topic)["retention.ms"], ("7200000", False), "the other one stays")
    t.client.set_config(topic, "retention.ms", None)
    until("default again", lambda: t.client.configs(topic)["retention.ms"] == ("604800000", True))
    refused(10, "6 kB when 5 kB are allowed", lambda: t.client.produce(topic, [Record("x" * 6000)]))


@scenario()
def topic_is_created_by_first_produce(t):
    topic = t.topic()
    t.client.produce(topic, [Record("first", key="k")], **t.first_use())
    until("listed", lambda: topic in t.client.topics())
    same([r.value for r in t.client.consume(topic)], ["first"], "records")


@scenario("admin")
def asking_for_a_topic_does_not_create_it(t):
    topic = t.topic()
    same(t.client.topics().get(topic), None, "not listed")
    refused(UNKNOWN_TOPIC, "partitions of a missing topic", lambda: t.client.partitions(topic))
    same(t.client.topics().get(topic), None, "still not listed")
