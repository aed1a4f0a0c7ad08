"""The audit trail by the management API: a file of its events, and whether it is as it was written."""

from __future__ import annotations

import csv
import io

import orjson
import pytest
from support.hosting import PlatformFixture
from support.publications import publish
from support.registry import ACTOR

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.orgs import trail_reports
from nproxy_mw.storage.layout import CHAIN

AUDIT = "/api/v1/orgs/acme/audit"


@pytest.fixture
def filled(tenants: PlatformFixture) -> PlatformFixture:
    """Two packages and some tokens, one of them with a name that a spreadsheet would run."""
    organization = tenants.platform.organization("acme")
    for name in ("@acme/utils", "@acme/web"):
        publish(organization, name, "1.0.0")
    for number in range(5):
        organization.tokens.create(f"=token{number}", ["proxy"], actor=ACTOR)
    return tenants


def test_every_event_is_exported(filled: PlatformFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """One a line, newest first, the same as page by page; read page by page, too."""
    monkeypatch.setattr(trail_reports, "MAX_LIMIT", 2)
    answer = filled.manager().get(f"{AUDIT}/export")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert answer.headers["cache-control"] == "no-store"
    events = [orjson.loads(line) for line in answer.body.splitlines()]
    assert events == filled.manager().get(AUDIT, query="limit=200").json["events"]
    assert len(events) >= 10


def test_an_export_is_filtered_and_bounded(filled: PlatformFixture) -> None:
    """As the pages are; `limit` counts events."""
    manager = filled.manager()
    lines = manager.get(f"{AUDIT}/export", query="event=token.created&limit=3").body.splitlines()
    assert [orjson.loads(line)["event"] for line in lines] == ["token.created"] * 3
    of_web = manager.get(f"{AUDIT}/export", query="package=@acme/web").body.splitlines()
    assert {orjson.loads(line)["package"] for line in of_web} == {"@acme/web"}
    assert manager.get(f"{AUDIT}/export", query="event=no.such").body == b""


def test_an_export_is_of_an_actor_and_a_time(filled: PlatformFixture) -> None:
    """`by`, `from` and `to` mean the same as for a page: `from` is included, `to` is not."""
    manager, organization = filled.manager(), filled.platform.organization("acme")
    manager.post("/api/v1/orgs/acme/tokens", {"name": "hers", "scopes": ["proxy"]})
    exported = manager.get(f"{AUDIT}/export", query="by=ann").body.splitlines()
    assert [orjson.loads(line)["token"]["name"] for line in exported] == ["hers"]
    events, _ = organization.trail.page(limit=200)
    for start, end in ((0, 2), (3, 3), (2, len(events) - 1)):
        newest, oldest = events[start]["time"], events[end]["time"]
        expected = [one for one in events if oldest <= one["time"] < newest]
        lines = manager.get(f"{AUDIT}/export", query=f"from={oldest}&to={newest}").body.splitlines()
        assert [orjson.loads(line) for line in lines] == expected


@pytest.mark.parametrize("package", ["", "&package=@acme/utils"])
def test_an_export_goes_on_behind_its_last_line(filled: PlatformFixture, package: str) -> None:
    """`after` is what the columns of an event say: files of two events together are the whole one."""
    manager, found, after = filled.manager(), list[bytes](), ""
    whole = manager.get(f"{AUDIT}/export", query=f"format=json{package}").body.splitlines()
    while lines := manager.get(f"{AUDIT}/export", query=f"limit=2{package}{after}").body.splitlines():
        assert len(found) < len(whole)
        found += lines
        last = orjson.loads(lines[-1])
        after = f"&after={last['time']}-{last['id']}"
    assert found == whole


@pytest.mark.parametrize("year", ["0001", "0002", "2019"])
def test_a_cursor_before_all_events_ends_the_trail(filled: PlatformFixture, year: str) -> None:
    """There is nothing behind it."""
    answer = filled.manager().get(AUDIT, query=f"after={year}0101T000000.000Z-{'0' * 32}")
    assert answer.json == {"events": [], "next": None}


def test_an_export_as_csv(filled: PlatformFixture) -> None:
    """With a row of titles; nothing in it is a formula."""
    answer = filled.manager().get(f"{AUDIT}/export", query="format=csv")
    titles, *rows = csv.reader(io.StringIO(answer.body.decode()))
    assert titles == [*trail_reports.COLUMNS]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert any("'@acme/utils" in row for row in rows)


@pytest.mark.parametrize(
    "query",
    [
        *("format=xml", "limit=0", "limit=100001", "limit=x", "after=1", "format=csv&format=csv", "from=7d"),
        *("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "after=99991231T000000.000Z", "who=ann", "to=2026"),
    ],
)
def test_another_export_is_refused(filled: PlatformFixture, query: str) -> None:
    """400 with a sentence for the parameter."""
    assert filled.manager().get(f"{AUDIT}/export", query=query).status == 400


def test_a_storage_that_fails_is_no_broken_file(filled: PlatformFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page is read before the answer begins: 503."""

    def fails(*_: object, **__: object) -> None:
        raise StorageUnavailable("The storage is away.")

    trail = filled.platform.organization("acme").trail
    monkeypatch.setattr(type(trail), "page", fails)
    assert filled.manager().get(f"{AUDIT}/export").status == 503


def test_a_sound_trail_is_verified(filled: PlatformFixture) -> None:
    """With a checkpoint, to be kept elsewhere."""
    answer = filled.manager().post(f"{AUDIT}/verify").json
    assert (answer["isSound"], answer["findings"]) == (True, [])
    assert (answer["checkpoint"]["number"], len(answer["checkpoint"]["hash"])) == (1, 64)


def test_an_edited_trail_is_found(filled: PlatformFixture) -> None:
    """The chain and the event are named, and no checkpoint is taken over it."""
    storage = filled.platform.organization("acme").storage
    stored = storage.read(CHAIN.key())
    storage.replace(CHAIN.key(), stored.data.replace(b"=token3", b"=tokenX"), stored.revision)
    answer = filled.manager().post(f"{AUDIT}/verify").json
    assert (answer["isSound"], answer["checkpoint"]) == (False, None)
    assert answer["findings"][0]["where"] == "administration"
    assert isinstance(answer["findings"][0]["event"], int)


def test_too_much_to_verify_is_refused(filled: PlatformFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that has no bound."""
    monkeypatch.setattr(trail_reports, "MAX_VERIFIED", 1)
    answer = filled.manager().post(f"{AUDIT}/verify")
    assert (answer.status, answer.code) == (400, "too-much-to-verify")
    assert "nproxy-mw audit verify" in answer.error
