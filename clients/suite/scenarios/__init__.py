"""The table of scenarios: each module adds its rows with `@scenario`."""

from dataclasses import dataclass
from typing import Callable

ALL = []


@dataclass(frozen=True)
class Scenario:
    name: str
    needs: frozenset
    run: Callable


def scenario(*needs, name=None):
    """Adds a row; clients that lack one of `needs` are left out of it."""

    def add(function):
        ALL.append(Scenario(name or function.__name__, frozenset(needs), function))
        return function

    return add
