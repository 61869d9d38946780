"""Records as they go in and come out: order, codecs, headers, sizes, place and time."""

import threading
import time

from model import Differs, Record, Refused, refused, same, true, until
from scenarios import scenario

OUT_OF_RANGE, TOO_LARGE = 1, 10
MESSAGE = 900 * 1024
TOO_LARGE_MESSAGE = 3 * 1024 * 1024


@scenario()
def records_come_back_as_they_went(t):
    topic = t.filled(partitions=1)
    records = [Record(f"value {n} äöü €", key=f"key {n}", partition=0) for n in range(100)]
    records += [Record("no key", partition=0), Record(None, key="tombstone", partition=0)]
    if "raw" in t.client.can:
        records += [Record("", key="", partition=0)]
    before = int(time.time() * 1000) - 1000
    places = t.client.produce(topic, records)
    if places is not None:
        same(sorted(places), [(0, n) for n in range(len(records))], "places")
    for reader in t.everyone():
        got = reader.consume(topic)
        pairs = [(r.key, r.value) for r in got]
        if reader.name == "kcat":
            # Its JSON cannot tell an empty value from none.
            pairs = [(key or None, value or None) for key, value in pairs]
            want = [(r.key or None, r.value or None) for r in records]
        else:
            want = [(r.key, r.value) for r in records]
        same(pairs, want, f"keys and values read by {reader.name}")
        same([r.offset for r in got], list(range(len(records))), f"offsets read by {reader.name}")
        stamps = [r.timestamp for r in got]
        true(
            before <= min(stamps) and max(stamps) <= time.time() * 1000 + 1000, "timestamps are now"
        )


def codec(name):
    @scenario(name=f"codec_{name}")
    def one_codec(t):
        topic = t.filled(partitions=2)
        records = [
            Record(f"{n} " + "abcdefgh" * 40, key=str(n), partition=n % 2) for n in range(2000)
        ]
        t.client.produce(topic, records, codec=name)
        for reader in t.everyone():
            got = reader.consume(topic)
            same(len(got), 2000, f"records read by {reader.name}")
            for partition in (0, 1):
                want = [r.value for r in records if r.partition == partition]
                same(
                    [r.value for r in got if r.partition == partition],
                    want,
                    f"as {reader.name} reads",
                )


for each in ("none", "gzip", "snappy", "lz4", "zstd"):
    codec(each)


@scenario()
def headers_are_kept(t):
    topic = t.filled(partitions=1)
    headers = (("ce_id", "1"), ("twice", "a"), ("twice", "b"), ("empty", ""))
    if "null-header" in t.client.can:
        headers += (("none", None),)
    t.client.produce(
        topic, [Record("with", headers=headers, partition=0), Record("without", partition=0)]
    )
    for reader in t.everyone():
        got = {r.value: r.headers for r in reader.consume(topic)}
        if reader.name == "kcat":
            want = tuple((k, v or got["with"][n][1]) for n, (k, v) in enumerate(headers))
            same(got["with"], want, "headers read by kcat")
        else:
            same(got["with"], headers, f"headers read by {reader.name}")
        same(got["without"], (), f"no headers read by {reader.name}")


@scenario("idempotent")
def idempotent_produce_keeps_order(t):
    topic = t.filled(partitions=2)
    records = [Record(f"{n}", partition=n % 2) for n in range(10_000)]
    t.client.produce(topic, records, idempotent=True)
    got = t.client.consume(topic)
    for partition in (0, 1):
        want = [r.value for r in records if r.partition == partition]
        same([r.value for r in got if r.partition == partition], want, f"partition {partition}")


def acks(level):
    @scenario(name=f"acks_{level}")
    def one_level(t):
        topic = t.filled(partitions=1)
        t.client.produce(topic, [Record(str(n), partition=0) for n in range(50)], acks=level)
        got = until("all there", lambda: len(found := t.client.consume(topic)) == 50 and found)
        same([r.value for r in got], [str(n) for n in range(50)], "values")


for each in (0, 1, "all"):
    acks(each)


@scenario("raw")
def transactions_work_or_are_refused_at_once(t):
    """A broker without transactions says so; a client that hangs would be the worst answer."""
    topic = t.filled(partitions=1)
    started = time.monotonic()
    try:
        t.client.transaction(topic, f"{topic}-id")
        same(len(t.client.consume(topic)), 1, "records of the transaction")
    except Refused as refusal:
        took = time.monotonic() - started
        true(took < 10, f"refused after {took:.1f} s only: {refusal}")
        same(t.client.consume(topic), [], "records of what was refused")


@scenario()
def large_messages(t):
    topic = t.filled(partitions=1)
    t.client.produce(
        topic, [Record("x" * MESSAGE, partition=0), Record("y" * MESSAGE, partition=0)]
    )
    got = t.client.consume(topic)
    same([(r.value[0], len(r.value)) for r in got], [("x", MESSAGE), ("y", MESSAGE)], "values")
    refused(
        TOO_LARGE,
        "3 MiB when 1 MiB is allowed",
        lambda: t.client.produce(
            topic,
            [Record("z" * TOO_LARGE_MESSAGE, partition=0)],
            **{"message.max.bytes": 8 * 1024 * 1024},
        ),
    )
    same(len(t.client.consume(topic)), 2, "records afterwards")


@scenario()
def reading_starts_where_told(t):
    topic = t.filled(partitions=1)
    t.client.produce(topic, [Record(str(n), partition=0) for n in range(100)])
    same([r.value for r in t.client.consume(topic, 0, start=97)], ["97", "98", "99"], "from 97")
    same(t.client.consume(topic, 0, start=100), [], "from the end's own offset")
    same(t.client.consume(topic, 0, start="end"), [], "from the end")
    same(len(t.client.consume(topic, 0, start=0)), 100, "from 0")


@scenario()
def offset_out_of_range_follows_the_policy(t):
    topic = t.filled(partitions=1)
    t.client.produce(topic, [Record(str(n), partition=0) for n in range(10)])
    got = t.client.consume(topic, 0, start=5_000, count=10, reset="earliest")
    same([r.value for r in got], [str(n) for n in range(10)], "reset to the earliest")
    if "raw" in t.client.can:
        # librdkafka reports its own number for it: the reset failed because none is allowed.
        try:
            got = t.client.consume(topic, 0, start=5_000, reset="error")
        except Exception as error:  # noqa: BLE001  the clients' own types differ
            true(
                getattr(error, "code", None) in (OUT_OF_RANGE, -140, -1),
                f"another error: {error!r}",
            )
        else:
            raise Differs(f"reading from beyond the end gave {got}")


@scenario("time")
def offsets_are_found_by_time_to_the_record(t):
    """The stamps of one batch differ: the answer is a record of it, not the batch."""
    topic = t.filled(partitions=1)
    start = int(time.time() * 1000) - 100_000
    for codec_name in ("none", "gzip", "zstd", "lz4", "snappy"):
        first = t.client.ends(topic, 0)[1]
        stamps = [start + first * 100 + n * 100 for n in range(20)]
        records = [Record(str(n), partition=0, timestamp=stamp) for n, stamp in enumerate(stamps)]
        t.client.produce(topic, records, codec=codec_name)
        for n in (0, 7, 19):
            same(
                t.client.offset_for_time(topic, 0, stamps[n]),
                first + n,
                f"{codec_name}: at stamp {n}",
            )
            same(
                t.client.offset_for_time(topic, 0, stamps[n] - 50),
                first + n,
                f"{codec_name}: before {n}",
            )
    end = t.client.ends(topic, 0)[1]
    same(t.client.offset_for_time(topic, 0, start + end * 100 + 5), -1, "after the last one")
    same(
        t.client.offset_of_max_timestamp(topic, 0), (end - 1, start + (end - 1) * 100), "the latest"
    )


@scenario()
def reading_starts_at_a_time(t):
    topic = t.filled(partitions=1)
    writer = t.writer()
    start = int(time.time() * 1000) - 60_000
    records = [Record(str(n), partition=0, timestamp=start + n * 1000) for n in range(30)]
    writer.produce(topic, records)
    got = t.client.consume(topic, 0, start=("time", start + 20_500))
    same([r.value for r in got], [str(n) for n in range(21, 30)], "from 20.5 s on")
    same(t.client.offset_for_time(topic, 0, start + 12_000), 12, "the offset of second 12")


@scenario("time")
def ends_are_told(t):
    topic = t.filled(partitions=2)
    same(t.client.ends(topic, 0), (0, 0), "an empty partition")
    t.client.produce(topic, [Record(str(n), partition=0) for n in range(37)])
    same(t.client.ends(topic, 0), (0, 37), "start and end")
    same(t.client.ends(topic, 1), (0, 0), "the other one")


@scenario("admin")
def records_are_deleted(t):
    topic = t.filled(partitions=1)
    t.client.produce(topic, [Record(str(n), partition=0) for n in range(100)])
    same(t.client.delete_records(topic, 0, 40), 40, "the new start")
    same(t.client.ends(topic, 0), (40, 100), "start and end")
    for reader in t.everyone():
        got = reader.consume(topic)
        same([r.value for r in got], [str(n) for n in range(40, 100)], f"what {reader.name} reads")
    refused(OUT_OF_RANGE, "deleting beyond the end", lambda: t.client.delete_records(topic, 0, 500))
    got = t.client.consume(topic, 0, start=10, count=60, reset="earliest")
    same(got[0].value, "40", "reading what is deleted goes on at the start")


@scenario("raw")
def a_waiting_reader_is_woken_at_once(t):
    topic = t.filled(partitions=1)
    latencies = []
    seen = threading.Event()

    def read():
        for record in t.client.consume(topic, 0, count=10, **{"fetch.wait.max.ms": 5000}):
            latencies.append(time.time() * 1000 - record.timestamp)
        seen.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    started = time.monotonic()
    for n in range(10):
        time.sleep(0.05)
        t.client.produce(topic, [Record(str(n), partition=0)])
    true(seen.wait(20), "ten records are read")
    true(time.monotonic() - started < 8, f"a reader slept through its fetch: {latencies}")


@scenario()
def readers_beside_writers_see_each_order(t):
    topic = t.filled(partitions=4)
    per_writer, errors = 3000, []

    def write(writer):
        try:
            records = [Record(f"{writer} {n}", partition=n % 4) for n in range(per_writer)]
            t.client.produce(topic, records, idempotent=True)
        except Exception as error:  # noqa: BLE001  told below
            errors.append(error)

    writers = [threading.Thread(target=write, args=(w,), daemon=True) for w in range(2)]
    for writer in writers:
        writer.start()
    got = [r for p in range(4) for r in t.client.consume(topic, p, count=2 * per_writer // 4)]
    for writer in writers:
        writer.join()
    same(errors, [], "errors of the writers")
    for partition in range(4):
        for writer in range(2):
            mine = [
                r.value
                for r in got
                if r.partition == partition and r.value.startswith(f"{writer} ")
            ]
            want = [f"{writer} {n}" for n in range(per_writer) if n % 4 == partition]
            same(mine, want, f"order of writer {writer} in partition {partition}")


@scenario()
def keys_land_where_java_puts_them(t):
    """Murmur2 as in Kafka's own client, so that two languages agree on a key's partition."""
    topic = t.filled(partitions=7)
    keys = [f"order-{n}" for n in range(50)]
    more = {} if t.client.name == "kafka-python" else {"partitioner": "murmur2_random"}
    t.client.produce(topic, [Record(key, key=key) for key in keys], **more)
    for record in t.client.consume(topic):
        same(record.partition, java_partition(record.key, 7), f"partition of {record.key}")


def java_partition(key, partitions):
    """org.apache.kafka.common.utils.Utils.murmur2 and toPositive, from their description."""
    data, mask, m = key.encode(), 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return ((h ^ (h >> 15)) & 0x7FFFFFFF) % partitions
