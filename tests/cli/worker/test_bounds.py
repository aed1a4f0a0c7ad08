"""The numbers, and what they mean together."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

import pytest
from msgspec.structs import fields

from nproxy_mw.cli.worker import bounds
from nproxy_mw.cli.worker.bounds import Bounds, connections_allowed, extended, raised_file_limit

PAGE = Path(__file__).parents[3] / "docs" / "servers.md"


@pytest.mark.parametrize(
    ("deadline", "now", "size", "expected"),
    [
        pytest.param(10, 5, 0, 10, id="nothing moved"),
        pytest.param(10, 5, 1000, 11, id="a little is a little time"),
        pytest.param(10, 5, 100_000, 25, id="no more than all patience"),
        pytest.param(10, 12, 1000, 11, id="too late"),
    ],
)
def test_bytes_give_time(deadline, now, size, expected):
    """At 1000 bytes a second and 20 seconds of patience."""
    assert extended(deadline, now, patience=20, size=size, pace=1000) == expected


@pytest.mark.parametrize(
    ("configured", "files", "allowed"),
    [(2000, 20_000, 2000), (2000, 1024, 448), (2000, 4128, 2000), (2000, 4126, 1999), (2000, 50, 16), (10, 9999, 16)],
)
def test_connections_leave_descriptors_to_the_rest(configured, files, allowed):
    """Each may need two; 128 are for the application."""
    assert connections_allowed(configured, files) == allowed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((256, 100_000), (4128, 100_000), id="as many as are needed"),
        pytest.param((256, resource.RLIM_INFINITY), (4128, resource.RLIM_INFINITY), id="no upper limit"),
        pytest.param((256, 1024), (1024, 1024), id="as many as may be"),
        pytest.param((9999, 9999), (9999, 9999), id="enough"),
    ],
)
def test_limit_of_open_files_is_raised(monkeypatch, before, after):
    """Never lowered, and the upper limit is left alone."""
    limits = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limit: limits.append(limit))
    assert raised_file_limit(2000) == after[0]
    assert limits[-1] == after


def test_limit_that_cannot_be_raised_stays(monkeypatch):
    """Some systems name an upper limit that they do not give."""

    def refuse(*_):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 100_000))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raised_file_limit(2000) == 256


def test_no_limit_of_open_files_is_no_limit(monkeypatch):
    """Nothing is set."""
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert raised_file_limit(2000) == sys.maxsize
    assert bounds.RESERVED_FILES == 128


def test_documentation_says_each_bound():
    """One row of the table for each, with its number and its name."""
    rows = re.findall(r"^\| .+ \| ([\d.]+)(?: (\w+).*?)? \| `(\w+)` \|$", PAGE.read_text(), re.MULTILINE)
    units = {"": 1, "s": 1, "KiB": 1024, "MiB": 1024 * 1024}
    told = {name: float(number) * units[unit] for number, unit, name in rows}
    assert told == {field.name: field.default for field in fields(Bounds)}
