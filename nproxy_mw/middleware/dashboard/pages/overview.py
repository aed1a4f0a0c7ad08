"""The overview of an organization: what happened lately, and what needs somebody's attention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.pages.tokens import SOON
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.packages.search.queries import PackageSort
from nproxy_mw.times import utc_now

DAYS = 30
WIDTH, HEIGHT, FOOT = 800, 120, 20  # of the chart, in its own units


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of a chart: where it stands, and what it says."""

    day: str
    value: int
    x: float
    y: float
    width: float
    height: float


def show(request: PageRequest) -> Answer:
    """Returns the overview."""
    organization, now = request.organization, utc_now()
    settings = organization.settings.get()
    tokens = organization.tokens.list() if request.user.manages(organization.id) else []
    expiring = [one for one in tokens if one.expires_at is not None and now < one.expires_at <= now + SOON]
    bars = _bars(request)
    values = {
        "url": request.site.registry_url(request.environ, organization.id),
        "scopes": settings.internal_scopes,
        "packages": organization.search_index.page(sort=PackageSort.NAME, after=None, text="", size=1).total,
        "tokens": len(tokens),
        "expiring": sorted(expiring, key=lambda one: str(one.expires_at))[:10],
        "open_requests": sum(one.answer is None for one in organization.exception_requests.list()),
        "checkpoint": Checkpoints(organization.storage, org=organization.id).newest(),
        "bars": bars,
        "published": sum(bar.value for bar in bars),
        "height": HEIGHT,
        "foot": FOOT,
        "width": WIDTH,
        "most": max(bar.value for bar in bars),
        "warnings": Settings.warnings(),
    }
    return Page("overview.html", "Overview", values)


def _bars(request: PageRequest) -> list[Bar]:
    organization, today = request.organization, utc_now().date()
    days = [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]
    counts = request.site.event_counts
    values = [counts.of(organization.id, organization.storage, day, today).get("package.published", 0) for day in days]
    most, step = max(*values, 1), WIDTH / DAYS
    return [
        Bar(f"{day:%Y-%m-%d}", value, place * step + 2, HEIGHT - HEIGHT * value / most, step - 4, HEIGHT * value / most)
        for place, (day, value) in enumerate(zip(days, values, strict=True))
    ]
