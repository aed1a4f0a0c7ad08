"""osv.updated: each organization's trail tells once of a database that its rules decide by."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from support.osv import malware

from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.firewall.database_events import DatabaseEvents
from nproxy_mw.intelligence import osv_database
from nproxy_mw.intelligence.osv_build import build
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.osv_records import parse_record
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import home
from nproxy_mw.testing.faults import Faulty

RECORD = parse_record(json.dumps(malware("MAL-1", "evil")).encode())


def swap(path: Path, day: int) -> None:
    """A new database, as an update leaves it."""
    build(path, [RECORD], built=f"2026-11-{day:02}T00:00:00.000Z", source="https://osv.example/all.zip")


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osv_database, "LOOK", -1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "osv.db"


@pytest.fixture
def storage() -> Any:
    return open_storage(f"memory://{uuid.uuid4().hex}")


def events_of(storage: Any, path: Path, org: str = "acme") -> DatabaseEvents:
    """Those of a process."""
    own = home(storage, org)
    return DatabaseEvents(own, Trail(own, org=org), OsvDatabase(path))


def told(storage: Any, org: str = "acme") -> list[str]:
    return [event["built"] for event in Trail(home(storage, org), org=org).chain() if event["event"] == "osv.updated"]


def test_each_database_is_told_once(storage: Any, path: Path) -> None:
    """Whichever process looks, and however often; and for each organization."""
    processes = [events_of(storage, path) for _ in range(3)]
    for one in processes:
        one.look()
    assert told(storage) == []
    for day in (25, 26):
        swap(path, day)
        for one in processes * 2:
            one.look()
    events_of(storage, path, "other").look()
    assert told(storage) == ["2026-11-25T00:00:00.000Z", "2026-11-26T00:00:00.000Z"]
    assert told(storage, "other") == ["2026-11-26T00:00:00.000Z"]


def test_host_that_lags_tells_nothing(storage: Any, path: Path, tmp_path: Path) -> None:
    """A database that is older than the last one told of is no news."""
    swap(path, 26)
    events_of(storage, path).look()
    swap(tmp_path / "old.db", 20)
    events_of(storage, tmp_path / "old.db").look()
    assert told(storage) == ["2026-11-26T00:00:00.000Z"]


def test_event_says_what_it_holds(storage: Any, path: Path) -> None:
    """How many records, of how many packages, and from where."""
    swap(path, 26)
    events_of(storage, path).look()
    (event,) = Trail(home(storage, "acme"), org="acme").chain()
    assert (event["records"], event["packages"], event["malware"], event["by"]) == (1, 1, 1, "rules")
    assert event["source"] == "https://osv.example/all.zip"


def test_storage_that_is_away_is_tried_again(storage: Any, path: Path) -> None:
    """Nothing is raised, and the next look tells."""
    swap(path, 26)
    faulty = Faulty(storage, 1, times=2)
    events = events_of(faulty, path)
    for _ in range(4):
        events.look()
    assert told(storage) == ["2026-11-26T00:00:00.000Z"]
    with pytest.raises(StorageUnavailable):
        Faulty(storage, 1).read("x")
