"""Several sources as one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.histories import releases

from nproxy_mw.intelligence.combined import Combined
from nproxy_mw.intelligence.port import Alert, Intelligence, IntelligenceUnavailable
from nproxy_mw.npm.facts import Release


class Knowing:
    """A source that knows something against every release."""

    def __init__(self, name: str) -> None:
        self.revision = f"{name}1"
        self.name = name

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        return tuple(Alert(version=release.version, kind="malware", id=self.name) for release in releases)


class Away:
    """A source that cannot be asked."""

    revision = ""

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        raise IntelligenceUnavailable("It is away.")


def test_all_are_asked() -> None:
    """Alerts of all sources, and one revision of all."""
    both: Intelligence = Combined([Knowing("a"), Knowing("b")])
    assert [alert.id for alert in both.alerts("x", releases(["1.0.0"]))] == ["a", "b"]
    assert both.revision == "a1+b1"
    assert Combined([]).alerts("x", releases(["1.0.0"])) == ()


@pytest.mark.parametrize(
    "sources", [[Knowing("a"), Away()], [Away(), Knowing("a")], [Combined([Away(), Knowing("a")])]]
)
def test_one_is_away(sources: list[Intelligence]) -> None:
    """What is known counts although a source is away, and that it is away is said."""
    with pytest.raises(IntelligenceUnavailable, match="away") as caught:
        Combined(sources).alerts("x", releases(["1.0.0"]))
    assert [alert.id for alert in caught.value.known] == ["a"]
