"""What is true of every `Intelligence`, as tests. Subclass `IntelligenceContract` for a source of your own::

    class TestOurIncidents(IntelligenceContract):
        @pytest.fixture
        def intelligence(self):
            return OurIncidents(...)

        @pytest.fixture
        def known(self):
            return "left-pad", "1.0.1"  # a version that the source knows something against

pytest then collects every fact below as a test of that class.
"""

from __future__ import annotations

import pytest

from nproxy_mw.intelligence.port import MALWARE_KINDS, VULNERABILITY, Alert, Intelligence
from nproxy_mw.npm.facts import Release
from nproxy_mw.testing.races import in_threads

SEVERITIES = frozenset({None, "info", "low", "moderate", "high", "critical"})
STRANGE = ["", "no-such-package", "@acme/no-such", "%", "a'--", 'a"', "../a", "é", "a\0", "x" * 214]


class IntelligenceContract:
    """What is true of every `Intelligence`. Subclass it, and give it fixtures ``intelligence`` and ``known``."""

    @pytest.fixture
    def intelligence(self) -> Intelligence:
        """A source that can be asked just now."""
        pytest.fail("Give this class a fixture named intelligence.")

    @pytest.fixture
    def known(self) -> tuple[str, str]:
        """A package and a version that the source knows something against."""
        pytest.fail("Give this class a fixture named known, with the name and the version of a bad release.")

    def test_alert_says_what_rules_need(self, intelligence: Intelligence, known: tuple[str, str]) -> None:
        """Each alert is against a version that was asked about; its kind and its severity are words of the port."""
        found = _asked(intelligence, *known)
        assert found
        for alert in found:
            assert isinstance(alert, Alert)
            assert alert.version == known[1]
            assert alert.kind in (VULNERABILITY, *MALWARE_KINDS)
            assert alert.severity in SEVERITIES
            assert alert.id
            assert alert.published is None or alert.published.utcoffset() is not None

    def test_only_what_was_asked_about_is_answered(self, intelligence: Intelligence, known: tuple[str, str]) -> None:
        """Other versions of the package stay out of it, and no question has no answer."""
        name, version = known
        assert _asked(intelligence, name) == ()
        others = [f"9.9.{number}" for number in range(50)]
        found = _asked(intelligence, name, *others, version)
        assert {alert.version for alert in found} <= {version, *others}
        assert {alert for alert in found if alert.version == version} == set(_asked(intelligence, name, version))

    @pytest.mark.parametrize("name", STRANGE)
    def test_unknown_package_has_no_alerts(self, intelligence: Intelligence, name: str) -> None:
        """Whatever stands in a packument or an audit as a name, and as a version."""
        assert _asked(intelligence, name, "1.0.0", "", "no version", "x" * 300) == ()

    def test_revision_stays_while_nothing_changes(self, intelligence: Intelligence, known: tuple[str, str]) -> None:
        """It is a text, and decisions stay valid as long as it stands."""
        before = intelligence.revision
        first = _asked(intelligence, *known)
        assert isinstance(before, str)
        assert (intelligence.revision, _asked(intelligence, *known)) == (before, first)

    def test_threads_ask_at_once(self, intelligence: Intelligence, known: tuple[str, str]) -> None:
        """Each gets the answer to its own question."""
        name, version = known
        found = in_threads(8, lambda number: _asked(intelligence, name if number % 2 else "no-such-package", version))
        assert found == [(), _asked(intelligence, name, version)] * 4


def _asked(intelligence: Intelligence, name: str, *versions: str) -> tuple[Alert, ...]:
    return tuple(intelligence.alerts(name, [Release(version=version) for version in versions]))
