"""Debian's kcat (an old librdkafka, seen through a pipe) in the suite's vocabulary."""

import itertools
import json
import re
import subprocess

from model import PATIENCE_S, Member, Record, Refused

NAME = "kcat"
# kcat has no admin calls and cannot commit by hand; its old librdkafka is why it is here.
CAN = {"idempotent", "static", "cooperative"}


def versions():
    said = subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout
    return re.sub(r"\s+", " ", said.splitlines()[2] if len(said.splitlines()) > 2 else said)


class Client:
    name = NAME
    can = CAN
    hangs_in_joins = False

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def run(self, *words, stdin="", codes=(0,)):
        done = subprocess.run(
            ["kcat", "-b", self.bootstrap, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 2,
        )
        if done.returncode not in codes or "ERROR" in done.stderr:
            raise Refused(broker_code(done.stderr), done.stderr.strip()[-300:])
        return done.stdout

    # topics

    def metadata(self, *words):
        return json.loads(self.run("-L", "-J", *words))

    def topics(self):
        return {t["topic"]: len(t["partitions"]) for t in self.metadata()["topics"]}

    def cluster(self):
        return [broker["name"] for broker in self.metadata()["brokers"]], "unseen by kcat"

    # records

    def produce(self, topic, records, codec="none", idempotent=False, acks="all", **more):
        """kcat takes one partition and one set of headers per run, and does not say the offsets."""
        by_partition = sorted(records, key=lambda r: -1 if r.partition is None else r.partition)
        for (partition, headers), run in itertools.groupby(
            by_partition, lambda record: (record.partition, record.headers)
        ):
            words = ["-P", "-t", topic, "-K", "\x1f", "-D", "\x1e", "-Z", "-z", codec]
            words += ["-X", f"enable.idempotence={str(idempotent).lower()}", "-X", f"acks={acks}"]
            words += ["-X", "linger.ms=5", "-X", f"message.timeout.ms={int(PATIENCE_S * 1000)}"]
            for name, value in more.items():
                words += ["-X", f"{name}={value}"]
            if partition is not None:
                words += ["-p", str(partition)]
            for name, value in headers:
                words += ["-H", name if value is None else f"{name}={value}"]
            text = "\x1e".join(f"{r.key or ''}\x1f{r.value or ''}" for r in run)
            self.run(*words, stdin=text)
        return None

    def consume(self, topic, partition=None, start="beginning", count=None, reset="error", **more):
        words = ["-C", "-q", "-t", topic, "-J", "-X", f"auto.offset.reset={reset}"]
        words += ["-o", f"s@{start[1]}" if isinstance(start, tuple) else str(start)]
        words += ["-p", str(partition)] if partition is not None else []
        words += ["-c", str(count)] if count is not None else ["-e"]
        return [read(json.loads(line)) for line in self.run(*words).splitlines()]

    def offset_for_time(self, topic, partition, time_ms):
        said = self.run("-Q", "-t", f"{topic}:{partition}:{time_ms}")
        return int(said.rpartition("offset ")[2])

    # groups

    def member(self, group, topic, strategy="eager", instance=None, session_ms=6000):
        words = ["kcat", "-b", self.bootstrap, "-G", group, "-u", "-f", "%p %o %s\n"]
        words += ["-X", "auto.offset.reset=earliest", "-X", f"session.timeout.ms={session_ms}"]
        assignor = "cooperative-sticky" if strategy == "cooperative" else "range"
        words += ["-X", "heartbeat.interval.ms=500"]
        words += ["-X", f"partition.assignment.strategy={assignor}"]
        words += ["-X", "auto.commit.interval.ms=200", "-X", "fetch.wait.max.ms=100"]
        words += ["-X", f"group.instance.id={instance}"] if instance else []
        return KcatMember([*words, topic], kcat_event)


class KcatMember(Member):
    """kcat does not watch its standard input as a consumer: it ends by SIGTERM."""

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.assigned = set()


def kcat_event(member, line):
    # "... rebalanced (memberid X): assigned: LIST" when eager,
    # "... rebalanced: incremental assignment of N partition(s) (memberid X, ...): LIST" otherwise.
    change = re.search(r"rebalanced.*?(assign|revoke).*?: ?([^:]*)$", line)
    if change:
        found = re.findall(r"(\S+) \[(\d+)\]", change[2])
        places = {(topic, int(partition)) for topic, partition in found}
        gained = change[1] == "assign"
        return {"assigned": member.assigned | places if gained else member.assigned - places}
    place = re.match(r"^(\d+) (\d+) (.*)$", line)
    return {"record": [int(place[1]), int(place[2]), place[3]]} if place else None


def broker_code(text):
    """kcat prints librdkafka's sentences only; these are the ones that the suite asks for."""
    for sentence, code in SENTENCES.items():
        if sentence in text:
            return code
    return -1


SENTENCES = {
    "Unknown topic or partition": 3,
    "Offset out of range": 1,
    "Message size too large": 10,
    "Broker: Invalid topic": 17,
}


def read(line):
    flat = line.get("headers") or []
    return Record(
        value=line.get("payload"),
        key=line.get("key"),
        headers=tuple(zip(flat[::2], flat[1::2])),
        partition=line["partition"],
        timestamp=line["ts"],
        offset=line["offset"],
    )
