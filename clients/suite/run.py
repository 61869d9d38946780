"""Runs the table of scenarios x clients against a broker and prints what came of it.

Usage: run.py --bootstrap HOST:PORT [--only WORD]... [--client NAME]... [--json FILE]
Exit code 0 only when every row passed.
"""

import argparse
import json
import sys
import threading
import time
import traceback
import uuid

import client_confluent
import client_kafka_python
import client_kcat
from model import Differs, Refused, until
from scenarios import ALL, groups, records, topics  # noqa: F401  the modules fill the table

CLIENTS = {module.NAME: module for module in (client_kcat, client_confluent, client_kafka_python)}


class Stage:
    """What one scenario gets: its client, names that nobody else uses, and members that end."""

    def __init__(self, bootstrap, client, clients, scenario, run):
        self.bootstrap, self.client, self.clients = bootstrap, client, clients
        self.prefix = f"suite-{run}-{client.name}-{scenario.name}"
        self.members = []

    def topic(self, more=""):
        return self.prefix + more

    def group(self):
        return f"{self.prefix}-group"

    def writer(self):
        """A client that can set everything about a record, for scenarios about reading."""
        return self.client if "raw" in self.client.can else self.clients["confluent"]

    def filled(self, partitions):
        """A topic that exists, has its leaders and is visible to this scenario's client."""
        self.admin().create(self.topic(), partitions)
        until("created", lambda: self.client.topics().get(self.topic()) == partitions)
        until("led", lambda: self.led(partitions))
        return self.topic()

    def led(self, partitions):
        """Apache Kafka lists a partition a moment before anybody leads it."""
        try:
            for partition in range(partitions):
                self.clients["confluent"].offset_for_time(self.topic(), partition, 0)
        except Refused:
            return False
        return True

    def admin(self):
        return self.client if "admin" in self.client.can else self.clients["confluent"]

    def everyone(self):
        return list(self.clients.values())

    def first_use(self):
        """What it takes for the client to let the broker create a topic."""
        return {}

    def member(self, group, topic, **more):
        self.members.append(self.client.member(group, topic, **more))
        return self.members[-1]

    def close(self):
        for member in self.members:
            if member.process.poll() is None:
                member.kill()


def run_client(name, clients, arguments, run, results):
    client = clients[name]
    for scenario in ALL:
        if arguments.only and not any(word in scenario.name for word in arguments.only):
            continue
        if not scenario.needs <= client.can:
            results[scenario.name, name] = ("-", 0.0, "")
            continue
        tries = ["", "-again"] if client.hangs_in_joins else [""]
        for more in tries:
            stage = Stage(arguments.bootstrap, client, clients, scenario, run + more)
            started = time.monotonic()
            outcome, text = attempt(scenario, stage)
            took = time.monotonic() - started
            results[scenario.name, name] = (outcome, took, text)
            print(f"  {outcome:4}  {took:5.1f} s  {name:13} {scenario.name}  {text}", flush=True)
            # Without members nothing can have hung in a join: the failure stands.
            if outcome == "ok" or not stage.members:
                break


def attempt(scenario, stage):
    try:
        scenario.run(stage)
        return "ok", ""
    except (Differs, Refused) as error:
        return "FAIL", f"{error}"
    except Exception as error:  # noqa: BLE001  a client's own error fails the row, not the run
        trace = traceback.extract_tb(error.__traceback__)[-1]
        return "FAIL", f"{type(error).__name__}: {error} ({trace.name}:{trace.lineno})"
    finally:
        stage.close()


def table(results, names):
    """One row per scenario, one column per client."""
    width = max(len(scenario.name) for scenario in ALL)
    print(f"\n{'scenario':{width}}  " + "  ".join(f"{name:>13}" for name in names))
    for scenario in ALL:
        cells = [results.get((scenario.name, name)) for name in names]
        if any(cells):
            shown = [f"{c[0]} {c[1]:6.1f} s" if c and c[0] != "-" else "-" for c in cells]
            print(f"{scenario.name:{width}}  " + "  ".join(f"{cell:>13}" for cell in shown))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--client", action="append", default=[], choices=list(CLIENTS))
    parser.add_argument("--json")
    arguments = parser.parse_args()
    names = arguments.client or list(CLIENTS)
    clients = {name: module.Client(arguments.bootstrap) for name, module in CLIENTS.items()}
    for module in CLIENTS.values():
        print(f"  {module.versions()}")
    run, results = uuid.uuid4().hex[:6], {}
    threads = [
        threading.Thread(target=run_client, args=(name, clients, arguments, run, results))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    table(results, names)
    failed = {key: value for key, value in results.items() if value[0] == "FAIL"}
    passed = sum(value[0] == "ok" for value in results.values())
    print(f"\n{passed} passed, {len(failed)} failed")
    for (scenario, name), (_, _, text) in sorted(failed.items()):
        print(f"  {name}: {scenario}: {text}")
    if arguments.json:
        rows = [[*key, *value] for key, value in sorted(results.items())]
        with open(arguments.json, "w") as file:
            json.dump(rows, file, indent=1)
    # Threads that a client leaves hanging must not hold up the end.
    sys.stdout.flush()
    import os

    os._exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
