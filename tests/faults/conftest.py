"""Stores to break, and a table of what was tried."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from support.commands import furnish
from support.memory import forgetting_memory

from nproxy_mw.storage import open_storage

_PROPERTY = "fault points"


@pytest.fixture(scope="session")
def furnished() -> dict[str, bytes]:
    """The objects there are before a command."""
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    furnish(storage)
    return {key: storage.read(key).data for key in storage.list()}


@pytest.fixture(autouse=True)
def forgotten_memory() -> Iterator[None]:
    """What a test kept under memory:// goes with it: here each makes hundreds of stores, and a listing walks all."""
    with forgetting_memory():
        yield


@pytest.fixture
def count_points(record_property):
    """Notes how many fault points were tried: ``count_points(back_end, operation, kind, number)``."""
    return lambda *point: record_property(_PROPERTY, "|".join(map(str, point)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the table of fault points."""
    points = [
        value.split("|")
        for report in terminalreporter.getreports("passed")
        for name, value in getattr(report, "user_properties", ())
        if name == _PROPERTY and report.when == "call"
    ]
    if not points:
        return
    kinds = list(dict.fromkeys(kind for _, _, kind, _ in points))
    terminalreporter.section("fault points tried, and nothing lost")
    terminalreporter.write_line(f"{'':34}" + "".join(f"{kind:>13}" for kind in kinds))
    for back_end, operation in dict.fromkeys((back_end, operation) for back_end, operation, _, _ in points):
        tried = {kind: number for one, other, kind, number in points if (one, other) == (back_end, operation)}
        row = "".join(f"{tried.get(kind, '-'):>13}" for kind in kinds)
        terminalreporter.write_line(f"{back_end:8}{operation:26}{row}")
    terminalreporter.write_line(f"{sum(int(point[3]) for point in points)} in all")
