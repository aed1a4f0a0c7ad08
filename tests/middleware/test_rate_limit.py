"""RateLimit: the organization's limit for each caller."""

from __future__ import annotations

import pytest
from support.client import Client
from support.registry import ACTOR, RegistryFixture, publish


def limited(**rates: int) -> RegistryFixture:
    """A registry whose organization has set these limits."""
    return RegistryFixture(rateLimit=rates)


def asked(client: Client, times: int, path: str = "/-/ping") -> list[int]:
    """The statuses of so many requests."""
    return [client.get(path).status for _ in range(times)]


def test_without_a_limit_nothing_is_counted(acme: RegistryFixture) -> None:
    """The default."""
    assert set(asked(acme.stranger(), 100)) == {200}


def test_refusal_says_how_long_to_wait() -> None:
    """In the body, in the notice that npm prints, and in Retry-After."""
    client = limited(requestsPerMinute=3).client()
    assert asked(client, 3) == [200, 200, 200]
    refused = client.get("/-/ping")
    assert refused.status == 429
    assert refused.headers["retry-after"] == "20"
    assert refused.json["error"] == refused.headers["npm-notice"]
    assert refused.json["error"] == (
        "This token has made the 3 requests that this organization allows in a minute: wait 20 seconds."
    )


def test_token_and_address_are_counted_apart() -> None:
    """A build with a token is not refused for what strangers ask from the same address."""
    registry = limited(requestsPerMinute=2)
    assert asked(registry.stranger(), 3) == [200, 200, 429]
    assert asked(registry.client(), 3) == [200, 200, 429]
    assert asked(registry.client(), 2) == [200, 200]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_address_is_ipv4_or_a_network_of_64_bits(one: str, other: str, together: bool) -> None:
    """One machine chooses its IPv6 address from that many."""
    registry = limited(requestsPerMinute=1)
    asked(registry.stranger(REMOTE_ADDR=one), 1)
    assert asked(registry.stranger(REMOTE_ADDR=other), 1) == [429 if together else 200]


def test_refused_requests_count_like_others() -> None:
    """Who asks for what is not there is limited as well."""
    registry = limited(requestsPerMinute=2)
    assert asked(registry.client(), 3, "/@acme/none") == [404, 404, 429]


def test_changes_have_a_limit_of_their_own() -> None:
    """The version above it is not stored; reads go on."""
    registry = limited(publishesPerMinute=2)
    client = registry.client()
    statuses = [publish(client, version=f"1.0.{patch}").status for patch in range(3)]
    assert statuses == [201, 201, 429]
    assert list(client.get("/@acme/utils").json["versions"]) == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/-/package/@acme%2futils/dist-tags/beta"),
        ("DELETE", "/-/package/@acme%2futils/dist-tags/beta"),
        ("DELETE", "/@acme%2futils/-rev/1-0"),
        ("PUT", "/lodash"),
    ],
)
def test_every_change_counts(method: str, path: str) -> None:
    """Internal or public, accepted or not."""
    client = limited(publishesPerMinute=1).client()
    publish(client)
    assert client.ask(method, path, body=b'"1.0.0"').status == 429


def test_audit_is_no_change() -> None:
    """npm asks for it by POST."""
    client = limited(publishesPerMinute=1).client()
    statuses = {client.post("/-/npm/v1/security/advisories/bulk", {}).status for _ in range(3)}
    assert 429 not in statuses


def test_change_of_the_limit_counts_at_once(acme: RegistryFixture) -> None:
    """Like every setting."""
    client = acme.client()
    assert asked(client, 2) == [200, 200]
    settings = acme.organization.settings
    settings.change({"rateLimit": {"requestsPerMinute": 1}}, actor=ACTOR)
    assert asked(client, 2) == [200, 429]
    settings.change({"rateLimit": None}, actor=ACTOR)
    assert asked(client, 2) == [200, 200]
