"""The vocabulary that every client is spoken to in, so that a scenario is written once."""

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Optional

# How long anything may take before it counts as hanging; polls end as soon as it is there.
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Record:
    """A record to write, or one that was read (then with its place)."""

    value: Optional[str]
    key: Optional[str] = None
    headers: tuple = ()
    partition: Optional[int] = None
    timestamp: Optional[int] = None
    offset: Optional[int] = field(default=None, compare=False)


class Refused(Exception):
    """The broker said no: `code` is Kafka's number for the error."""

    def __init__(self, code, text=""):
        super().__init__(f"error {code} {text}")
        self.code = code


class Differs(AssertionError):
    """What came is not what should have come."""


def same(got, want, what):
    """Fails with both sides unless they are equal."""
    if got != want:
        raise Differs(f"{what}: got {shorten(got)}, want {shorten(want)}")


def true(condition, what):
    """Fails with `what` unless the condition holds."""
    if not condition:
        raise Differs(what)


def refused(code, what, act):
    """Runs `act`, which the broker must refuse with `code`."""
    try:
        got = act()
    except Refused as error:
        same(error.code, code, f"{what}, error code ({error})")
        return
    raise Differs(f"{what}: want error {code}, got {shorten(got)}")


def until(what, probe, patience_s=PATIENCE_S):
    """Polls until `probe` gives something true and returns it."""
    deadline = time.monotonic() + patience_s
    seen = None
    while time.monotonic() < deadline:
        seen = probe()
        if seen:
            return seen
        time.sleep(0.02)
    raise Differs(f"not within {patience_s:.0f} s: {what() if callable(what) else what}")


def shorten(thing):
    """A value for an error message."""
    text = repr(thing)
    return text if len(text) < 300 else text[:200] + " ... " + text[-90:]


class Member:
    """A group member in a process of its own, so that it can be killed as a real one is."""

    def __init__(self, command, parse):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.assigned = set()
        self.assignments = 0
        self.records = []
        self.noise = []
        self._parse = parse
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=self._follow, args=(stream,), daemon=True).start()

    def _follow(self, stream):
        for line in stream:
            event = self._parse(self, line)
            if event is None:
                self.noise.append(line.rstrip())
            elif "assigned" in event:
                self.assigned = {tuple(pair) for pair in event["assigned"]}
                self.assignments += 1
            elif "record" in event:
                self.records.append(tuple(event["record"]))

    def kill(self):
        """SIGKILL: no goodbye to the broker."""
        self.process.kill()
        self.process.wait()
        self.assigned = set()

    def close(self):
        """Ends it orderly: it commits and leaves the group."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Differs(f"a member does not end: {self.noise[-3:]}") from None
        self.assigned = set()


def json_events(_member, line):
    """The parser for members that report in JSON lines."""
    try:
        return json.loads(line)
    except ValueError:
        return None
