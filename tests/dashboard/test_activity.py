"""What happened lately: counted by a thread of its own, and kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from support.browser import HOME, Browser
from support.hosting import PlatformFixture
from support.packages import memory
from support.publications import publish
from support.registry import ACTOR

from nproxy_mw.audit import index
from nproxy_mw.audit.day_counts import DayCounts
from nproxy_mw.audit.events import Stamp
from nproxy_mw.ledger.recorder import Ledger
from nproxy_mw.middleware.dashboard import activity
from nproxy_mw.middleware.dashboard.activity import DAYS, ActivityCounts
from nproxy_mw.middleware.dashboard.charts import HEIGHT, chart
from nproxy_mw.times import utc_now


def test_days_are_counted(tenants: PlatformFixture, ann: Browser) -> None:
    """Installs, publishes and decisions, each on its day; the page has them as charts and tables."""
    organization = tenants.platform.organization("acme")
    tenants.scopes("acme", "@acme")
    publish(organization, "@acme/utils", "1.0.0")
    facts = [("rule.warned", {"package": "axios", "rule": "score", "versions": ["1.0.0"], "count": 1})] * 2
    organization.trail.append(organization.trail.stamp(ACTOR).events(facts))
    for ago, times in ((0, 3), (5, 2), (DAYS, 9)):
        moment = (utc_now() - timedelta(days=ago)).timestamp()
        ledger = Ledger(organization.ledger.storage, now=lambda moment=moment: moment, interval=None)
        for _ in range(times):
            ledger.record("axios", "1.0.0", "", "192.0.2.1")
        ledger.flush()
    found = ActivityCounts().of(organization)
    assert found.is_complete
    assert [day.installs for _, day in found.days if day is not None and day.installs] == [2, 3]
    today = found.days[-1][1]
    assert today is not None
    assert (today.kinds["package.published"], today.kinds["rule.warned"]) == (1, 2)
    assert found.by_rule == {"score": {"rule.warned": 2}}
    page = ann.get(f"{HOME}/orgs/acme/overview")
    assert "5 installs, as a table" in page.text
    assert "1 version, as a table" in page.text
    assert "score 0 2" in page.text


def test_day_that_is_over_is_counted_once_a_day(tmp_path: Path) -> None:
    """By all processes of a host together. Yesterday may not be over on another host yet."""
    now, storage = datetime(2026, 6, 15, 1, tzinfo=UTC), memory()
    before, yesterday = date(2026, 6, 13), date(2026, 6, 14)

    def counts_at(moment: datetime) -> DayCounts:
        return DayCounts(storage, "acme", folder=tmp_path / "days", clock=lambda: moment)

    def happens(day: date, number: int) -> None:
        stamp = Stamp("acme", ACTOR, datetime(day.year, day.month, day.day, 12, number, tzinfo=UTC))
        index.write(storage, stamp.events([("token.created", {})]))

    for number in (1, 2):
        for day in (before, yesterday):
            happens(day, number)
        counted = [counts_at(now).of(day)["token.created"] for day in (before, yesterday)]
        assert counted == [1, number]
    assert counts_at(now + timedelta(hours=23)).of(before) == {"token.created": 1}
    assert counts_at(now + timedelta(hours=25)).of(before) == {"token.created": 2}


def test_a_day_is_counted_where_no_index_can_be_written(tmp_path: Path) -> None:
    """An index only saves work."""
    (tmp_path / "days").write_text("a file")
    counts = DayCounts(memory(), "acme", folder=tmp_path / "days")
    assert counts.of(date(2026, 1, 1)) == {}


def test_a_count_that_is_not_done_is_said(
    tenants: PlatformFixture, ann: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is there all the same, and says that it has not all days yet."""
    monkeypatch.setattr(activity.Job, "start", lambda job: None)
    page = ann.get(f"{HOME}/orgs/acme/overview")
    assert page.status == 200
    assert "The last 30 days are being counted." in page.text


def test_chart_is_as_high_as_its_highest_day() -> None:
    """An empty one has no height."""
    today = utc_now().date()
    found = chart("Installs", "install", "installs", [(today, 1), (today, 4)])
    assert [bar.height for bar in found.bars] == [HEIGHT / 4, HEIGHT]
    assert (found.total, found.most) == (5, 4)
    assert chart("Installs", "install", "installs", []).total == 0
