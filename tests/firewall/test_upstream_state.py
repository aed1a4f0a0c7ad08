"""How the way to the upstream is doing: seen through the components, without a question to the upstream."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.hosting import PlatformFixture

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.firewall.upstream_state import upstream_state
from nproxy_mw.npm.names import parse_name
from nproxy_mw.stack import gateway_to, transport_to
from nproxy_mw.testing.upstream import RecordingUpstream, Reply


def test_counts_and_breaker_are_seen(tmp_path: Path) -> None:
    """What the cache answered, of all that was asked; and an upstream that fails."""
    with RecordingUpstream() as upstream:
        upstream.publish("axios", "1.0.0")
        transport = transport_to(upstream.url)
        assert transport is not None
        town = PlatformFixture(upstream=gateway_to(transport, str(tmp_path)))
        firewall = town.platform.firewall("acme")
        assert firewall is not None
        before = upstream_state(firewall)
        assert (before.breaker, before.found, before.asked, before.advisories_from) == ("closed", 0, 0, None)
        for _ in range(3):
            firewall.unruled.packument(parse_name("axios"))
        after = upstream_state(firewall)
        assert (after.found, after.asked) == (2, 3)
        for name in ("a", "b", "c"):
            upstream.on("GET", f"/{name}", Reply(500))
            with pytest.raises(UpstreamUnavailable):
                firewall.unruled.packument(parse_name(name))
        assert upstream_state(firewall).breaker == "open"


def test_without_a_cache_nothing_is_counted() -> None:
    """The page says so."""
    with RecordingUpstream() as upstream:
        firewall = PlatformFixture(upstream=upstream.url).platform.firewall("acme")
        assert firewall is not None
        assert upstream_state(firewall).asked is None
        assert upstream.requests == []
