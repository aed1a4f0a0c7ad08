"""Dependents: complete for a few packages at once, and for many after some requests."""

from __future__ import annotations

from itertools import count

from support.browser import HOME, Browser
from support.filled import fill
from support.hosting import PlatformFixture
from support.publications import publish

from nproxy_mw.middleware.dashboard import dependents
from nproxy_mw.middleware.dashboard.dependents import DependentIndex


def test_dependents_are_on_the_page(tenants: PlatformFixture, ann: Browser) -> None:
    """Those whose latest version depends on the package, with the range."""
    fill(tenants)
    assert "Dependents Package Range @acme/log ^1.0.0" in ann.get(f"{HOME}/orgs/acme/packages/@acme/utils").text
    publish(tenants.platform.organization("acme"), "@acme/log", "1.1.0")
    assert "no internal package depends on" in ann.get(f"{HOME}/orgs/acme/packages/@acme/utils").text


def test_many_packages_are_read_over_several_requests(tenants: PlatformFixture) -> None:
    """Each request reads on for a moment; what was removed is forgotten in the next round."""
    tenants.scopes("acme", "@acme")
    packages = tenants.platform.organization("acme").packages
    names = [f"@acme/p{number}" for number in range(5)]
    for name in names:
        publish(tenants.platform.organization("acme"), name, "1.0.0", package_json={"dependencies": {"x": "1"}})
    ticks = count(step=dependents.MOMENT / 2)  # two packages for each request
    index = DependentIndex(clock=lambda: next(ticks))
    found = [index.of("acme", packages, names, "x") for _ in range(3)]
    assert [(one.looked_at, len(one.ranges), one.total) for one in found] == [(2, 2, 5), (4, 4, 5), (5, 5, 5)]
    fewer = [index.of("acme", packages, names[:2], "x") for _ in range(2)]
    assert [user for user, _ in fewer[-1].ranges] == names[:2]
    assert index.of("acme", packages, [], "x").total == 0
