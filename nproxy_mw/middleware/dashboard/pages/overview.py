"""The overview of an organization: what happened lately, and what needs somebody's attention."""

from __future__ import annotations

from collections.abc import Iterator

from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.firewall.upstream_state import upstream_state
from nproxy_mw.middleware.dashboard.activity import DAYS, Activity
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.charts import HEIGHT, WIDTH, Chart, chart
from nproxy_mw.middleware.dashboard.pages.tokens import SOON
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.times import from_unix, utc_now


def show(request: PageRequest) -> Answer:
    """Returns the overview."""
    organization, now = request.organization, utc_now()
    firewall = request.site.firewall_of(organization.id)
    tokens = organization.tokens.list() if request.user.manages(organization.id) else []
    expiring = [one for one in tokens if one.expires_at is not None and now < one.expires_at <= now + SOON]
    amount = organization.search_index.amount()
    activity = request.site.activity.of(organization)
    values = {
        "url": request.site.registry_url(request.environ, organization.id),
        "scopes": organization.settings.get().internal_scopes,
        "amount": amount,
        "counted": from_unix(amount.counted) if amount.counted is not None else None,
        "tokens": len(tokens),
        "expiring": sorted(expiring, key=lambda one: str(one.expires_at))[:10],
        "expiring_total": len(expiring),
        "open_requests": sum(one.answer is None for one in organization.exception_requests.list()),
        "checkpoint": Checkpoints(organization.storage, org=organization.id).newest(),
        "charts": list(_charts(activity)),
        "is_complete": activity.is_complete,
        "by_rule": sorted(activity.by_rule.items(), key=lambda pair: -sum(pair[1].values()))[:20],
        "upstream": upstream_state(firewall) if firewall is not None else None,
        "days": DAYS,
        "width": WIDTH,
        "height": HEIGHT,
    }
    return Page("overview.html", "Overview", values)


def _charts(activity: Activity) -> Iterator[Chart]:
    counted = [(date, day) for date, day in activity.days if day is not None]
    yield chart("Installs per day", "install", "installs", [(date, day.installs) for date, day in counted])
    for title, one, many, kind in (
        ("Versions published per day", "version", "versions", "package.published"),
        ("Decisions that hold versions, per day", "decision", "decisions", "rule.blocked"),
        ("Decisions that warn of versions, per day", "decision", "decisions", "rule.warned"),
    ):
        yield chart(title, one, many, [(date, day.kinds.get(kind, 0)) for date, day in counted])
