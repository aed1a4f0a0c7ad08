"""What a server knows and has not written yet, when it is stopped: nothing of it is lost, and nothing told twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.server import ask, program, serving

from nproxy_mw import organization_at
from nproxy_mw.ledger.query import find
from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = pytest.mark.e2e

TARBALL = "/left-pad/-/left-pad-1.0.0.tgz"


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    """A package that a rule warns of, and one of which a rule holds every version."""
    with RecordingUpstream() as upstream:
        upstream.publish("left-pad", "1.0.0", {"scripts": {"postinstall": "node x.js"}})
        upstream.publish("new-pad", "1.0.0")
        del upstream.state.packuments["new-pad"]["time"]
        yield upstream


@pytest.mark.parametrize("server", ["gunicorn", "granian"])
def test_stop_writes_what_is_pending(tmp_path: Path, upstream: RecordingUpstream, server: str) -> None:
    """Forty requests of two workers within a moment, then SIGTERM: one event per decision, and each install."""
    storage = tmp_path / "store"
    program(storage, "settings", "set", "rules.first_seen.unknown=block")
    options = ("--upstream", upstream.url, "--server", server, "--workers", "2")
    with serving(storage, *options) as url, ThreadPoolExecutor(8) as pool:
        paths = ["/left-pad", TARBALL, "/new-pad", TARBALL] * 10
        statuses = Counter(zip(paths, pool.map(lambda path: ask(url + path)[0], paths), strict=True))
    assert statuses == {("/left-pad", 200): 10, (TARBALL, 200): 20, ("/new-pad", 403): 10}
    events = [json.loads(line) for line in program(storage, "audit", "export").splitlines()]
    told = Counter((event["event"], event.get("package")) for event in events if event["event"].startswith("rule."))
    decided = {pair: times for pair, times in told.items() if pair[0] in ("rule.warned", "rule.blocked")}
    assert decided == {("rule.warned", "left-pad"): 1, ("rule.blocked", "new-pad"): 1}
    organization = organization_at(str(storage))
    now = datetime.now(UTC)
    assert [one.times for one in find(organization.storage, now - timedelta(days=1), now)] == [20]
