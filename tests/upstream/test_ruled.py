"""Ruled: held versions are nowhere, by whatever door they are asked for."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.sources import ScriptedSource

from nproxy_mw.errors import NotFound
from nproxy_mw.npm.documents import ByteRange
from nproxy_mw.npm.forms import Form, written, written_version
from nproxy_mw.npm.names import parse_name
from nproxy_mw.rules.engine import Configured
from nproxy_mw.rules.held import Held
from nproxy_mw.rules.held_dependency import LOOK, HeldDependency
from nproxy_mw.rules.port import Verdict
from nproxy_mw.rules.removed_upstream import RemovedUpstream
from nproxy_mw.rules.version_age import VersionAge
from nproxy_mw.storage import open_storage
from nproxy_mw.times import timestamp
from nproxy_mw.upstream.judged import Judgments
from nproxy_mw.upstream.policy import Policy
from nproxy_mw.upstream.ruled import TRUST, Ruled

LEFT = parse_name("left-pad")
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Names:
    """A rule that flags the versions it is given."""

    id = "names"

    def __init__(self, *versions: str) -> None:
        self.versions = versions
        self.asked = 0

    def check(self, history: Any, parameters: Any, knowledge: Any) -> Any:
        self.asked += 1
        for release in history.releases:
            if release.version in self.versions:
                yield Verdict(release.version, "it is named")


@pytest.fixture
def source() -> ScriptedSource:
    source = ScriptedSource()
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        source.publish("left-pad", version)
    return source


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(source: ScriptedSource, clock: Clock) -> Any:
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    decided: list[Any] = []

    def make(*rules: Any, mode: str = "block", revision: str = "1", **parameters: Any) -> Ruled:
        policy = Policy([Configured(rule, mode, parameters) for rule in rules], revision)
        ruled = Ruled(
            source,
            policy=lambda: policy,
            judgments=Judgments(storage),
            decided=lambda judged, before: decided.append((judged, before)),
            clock=clock,
        )
        ruled.decisions = decided  # type: ignore[attr-defined]
        return ruled

    return make


def packument(ruled: Ruled, form: Form = Form.FULL) -> Any:
    document = ruled.packument(LEFT)
    assert document is not None
    return json.loads(written(document.packument, form, "https://registry.example"))


@pytest.mark.parametrize("form", list(Form))
def test_held_version_is_in_no_form(make: Any, form: Form) -> None:
    """Its manifest is gone, and the tag that pointed at it points below it."""
    document = packument(make(Names("2.0.0")), form)
    assert list(document["versions"]) == ["1.0.0", "1.1.0"]
    assert document["dist-tags"] == {"latest": "1.1.0"}


def test_held_version_loses_its_time(make: Any, source: ScriptedSource) -> None:
    """``versions``, ``time`` and ``dist-tags`` are pruned together; the package's own times stay."""
    source.packuments["left-pad"]["time"] = {
        "created": timestamp(NOW),
        "1.0.0": timestamp(NOW),
        "2.0.0": timestamp(NOW),
    }
    assert set(packument(make(Names("2.0.0")))["time"]) == {"created", "1.0.0"}


def test_npm_is_told_why(make: Any) -> None:
    """npm prints the message of ``policyRestrictions`` when only a held version satisfies what it was asked for."""
    restrictions = packument(make(Names("2.0.0")))["policyRestrictions"]
    assert "left-pad@2.0.0 is held" in restrictions["message"]
    assert "it is named (names)" in restrictions["message"]
    assert "Install left-pad@1.1.0 instead" in restrictions["message"]
    assert list(restrictions["versions"]) == ["2.0.0"]


def test_nothing_held_leaves_every_byte(make: Any, source: ScriptedSource) -> None:
    """A package that no rule flags passes as it is."""
    ruled = make(Names())
    document = ruled.packument(LEFT)
    assert document.raw == json.dumps(source.packuments["left-pad"]).encode()
    assert "policyRestrictions" not in packument(ruled)


def test_warned_version_stays(make: Any) -> None:
    """A rule that only warns changes nothing."""
    assert "2.0.0" in packument(make(Names("2.0.0"), mode="warn"))["versions"]


def test_single_version_says_why(make: Any) -> None:
    """A held version by its number is 403 with the reason; by a tag, the repaired one answers."""
    document = make(Names("2.0.0")).packument(LEFT)
    with pytest.raises(Held, match="it is named"):
        written_version(document.packument, "2.0.0", "")
    assert json.loads(written_version(document.packument, "latest", ""))["version"] == "1.1.0"


def test_everything_held_is_a_refusal_with_details(make: Any) -> None:
    """All versions held: 403 that names the rules, the versions and the reasons."""
    ruled = make(Names("1.0.0", "1.1.0", "2.0.0"))
    for ask in (ruled.packument, ruled.dist_tags):
        with pytest.raises(Held, match="Every version of left-pad is held") as refused:
            ask(LEFT)
        assert {rule["version"] for rule in refused.value.rules} == {"1.0.0", "1.1.0", "2.0.0"}
        assert dict(refused.value.headers()) == {"X-NProxy-Blocked": "3", "X-NProxy-Rules": "names"}


def test_dist_tags_are_repaired(make: Any) -> None:
    """The tags by themselves are those of the filtered packument."""
    assert make(Names("2.0.0")).dist_tags(LEFT) == {"latest": "1.1.0"}


@pytest.mark.parametrize("part", [None, ByteRange(0, 10)], ids=["whole", "part"])
@pytest.mark.parametrize("is_seen", [False, True], ids=["packument not seen", "packument seen"])
def test_tarball_of_a_held_version_is_refused(make: Any, source: ScriptedSource, part: Any, is_seen: bool) -> None:
    """Whatever was asked before: the bytes of a held version are not fetched."""
    ruled = make(Names("2.0.0"))
    if is_seen:
        packument(ruled)
    with pytest.raises(Held, match=r"left-pad@2\.0\.0 is held"):
        ruled.tarball(LEFT, "left-pad-2.0.0.tgz", part)
    assert source.asked["tarball left-pad-2.0.0.tgz"] == 0
    with ruled.tarball(LEFT, "left-pad-1.0.0.tgz") as blob:
        assert b"".join(blob)


def test_tarballs_live_by_one_decision(make: Any, source: ScriptedSource) -> None:
    """A hundred tarballs ask the rules once, and the source for the packument once."""
    rule = Names("2.0.0")
    ruled = make(rule)
    for _ in range(100):
        ruled.tarball(LEFT, "left-pad-1.0.0.tgz").close()
    assert rule.asked == 1
    assert source.asked["packument left-pad"] == 1


def test_decision_is_shared_by_processes(make: Any) -> None:
    """What one process decided, another one finds."""
    first, second = Names("2.0.0"), Names("2.0.0")
    packument(make(first))
    with pytest.raises(Held):
        make(second).tarball(LEFT, "left-pad-2.0.0.tgz")
    assert (first.asked, second.asked) == (1, 0)


def test_unchanged_is_none(make: Any) -> None:
    """Who has the filtered packument is told so without a new decision."""
    rule = Names("2.0.0")
    ruled = make(rule)
    document = ruled.packument(LEFT)
    assert ruled.packument(LEFT, unless=document.revision) is None
    assert rule.asked == 1


def test_other_settings_are_another_decision(make: Any) -> None:
    """A change of the rules holds at once, for packuments and tarballs, and takes holds back as well."""
    before = make(Names("2.0.0")).packument(LEFT)
    freed = make(Names(), revision="2")
    after = freed.packument(LEFT, unless=before.revision)
    assert "2.0.0" in after.packument.versions
    freed.tarball(LEFT, "left-pad-2.0.0.tgz").close()


def test_change_of_the_upstream_is_another_decision(make: Any, source: ScriptedSource) -> None:
    """A new version is judged."""
    ruled = make(Names("3.0.0"))
    before = ruled.packument(LEFT)
    source.publish("left-pad", "3.0.0")
    after = ruled.packument(LEFT, unless=before.revision)
    assert "3.0.0" not in after.packument.versions


def test_held_version_matures(make: Any, source: ScriptedSource, clock: Clock) -> None:
    """A young version appears at the moment that its refusal named, in the packument and as a tarball."""
    source.packuments["left-pad"]["time"] = {
        version: timestamp(NOW - timedelta(hours=age))
        for version, age in (("1.0.0", 900), ("1.1.0", 800), ("2.0.0", 1))
    }
    ruled = make(VersionAge(), hours=48, fixes=True, unknown="allow")
    before = ruled.packument(LEFT)
    with pytest.raises(Held, match=r"available at 2026-11-28T11:00:00\.000Z"):
        ruled.tarball(LEFT, "left-pad-2.0.0.tgz")
    clock.now = NOW + timedelta(hours=47)
    assert ruled.packument(LEFT, unless=before.revision) is not None
    ruled.tarball(LEFT, "left-pad-2.0.0.tgz").close()


def test_version_that_went_away_is_refused(make: Any, source: ScriptedSource, clock: Clock) -> None:
    """A version that the packument no longer lists is asked for once more, then refused with the reason."""
    ruled = make(RemovedUpstream())
    source.packuments["left-pad"]["time"] = {v: timestamp(NOW) for v in ("1.0.0", "1.1.0", "2.0.0")}
    ruled.tarball(LEFT, "left-pad-2.0.0.tgz").close()
    del source.packuments["left-pad"]["versions"]["2.0.0"]
    clock.now += TRUST
    with pytest.raises(Held, match="the upstream registry removed it"):
        ruled.tarball(LEFT, "left-pad-2.0.0.tgz")


def test_version_that_never_was_is_absent(make: Any) -> None:
    """No hold, no version: 404."""
    with pytest.raises(NotFound):
        make(Names()).tarball(LEFT, "left-pad-9.9.9.tgz")


def test_version_waits_for_its_new_dependency(make: Any, source: ScriptedSource) -> None:
    """A version whose new dependency is held is held with it, so that an install resolves to the one before."""
    source.publish("young", "1.0.0")
    source.packuments["young"]["time"] = {"1.0.0": timestamp(NOW)}
    source.publish("left-pad", "2.1.0", dependencies={"young": "^1.0.0"})
    source.packuments["left-pad"]["time"] = {
        v: timestamp(NOW - timedelta(days=90)) for v in ("1.0.0", "1.1.0", "2.0.0", "2.1.0")
    }
    ruled = make(VersionAge(), HeldDependency(), hours=48, fixes=True, unknown="allow")
    assert packument(ruled)["dist-tags"] == {"latest": "2.0.0"}
    with pytest.raises(Held, match=r"its new dependency young@\^1\.0\.0 is held here.*2026-11-28"):
        ruled.tarball(LEFT, "left-pad-2.1.0.tgz")


def test_version_with_an_allowed_new_dependency_passes(make: Any, source: ScriptedSource) -> None:
    """A new dependency that can be installed holds nothing, nor does one that cannot be found."""
    source.publish("old", "1.0.0")
    source.publish("left-pad", "2.1.0", dependencies={"old": "^1.0.0", "absent": "*"})
    assert packument(make(Names(), HeldDependency()))["dist-tags"] == {"latest": "2.1.0"}


def old(source: ScriptedSource, *names: str) -> None:
    """All versions of some packages are ninety days old."""
    for name in names:
        document = source.packuments[name]
        document["time"] = dict.fromkeys(document["versions"], timestamp(NOW - timedelta(days=90)))


def young(source: ScriptedSource) -> None:
    """A package of the last hour."""
    source.publish("young", "1.0.0")
    source.packuments["young"]["time"] = {"1.0.0": timestamp(NOW)}


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        pytest.param("1.1.0", True, id="exactly the held one"),
        pytest.param("^1.1.0", True, id="the held one and higher"),
        pytest.param("latest", False, id="a tag that moves to the one before"),
        pytest.param("^1.0.0", False, id="the one before will do"),
    ],
)
def test_chain_of_held_dependencies(make: Any, source: ScriptedSource, wanted: str, held: bool) -> None:
    """A version whose new dependency waits for one of its own waits, too, where no other version of that will do."""
    young(source)
    source.publish("middle", "1.0.0")
    source.publish("middle", "1.1.0", dependencies={"young": "^1.0.0"})
    source.publish("left-pad", "2.1.0", dependencies={"middle": wanted})
    old(source, "middle", "left-pad")
    ruled = make(VersionAge(), HeldDependency(), hours=48, fixes=True, unknown="allow")
    assert packument(ruled)["dist-tags"] == {"latest": "2.0.0" if held else "2.1.0"}


def test_dependencies_in_a_circle(make: Any, source: ScriptedSource) -> None:
    """Two packages that are new to each other hold nothing."""
    source.publish("round", "1.0.0")
    source.publish("round", "1.1.0", dependencies={"left-pad": "2.1.0"})
    source.publish("left-pad", "2.1.0", dependencies={"round": "1.1.0"})
    assert packument(make(Names(), HeldDependency()))["dist-tags"] == {"latest": "2.1.0"}


def test_tag_of_a_package_that_is_held_as_a_whole(make: Any, source: ScriptedSource) -> None:
    """A dependency may be asked for by a tag, which has no version then."""
    young(source)
    source.publish("left-pad", "2.1.0", dependencies={"young": "latest"})
    old(source, "left-pad")
    ruled = make(VersionAge(), HeldDependency(), hours=48, fixes=True, unknown="allow")
    assert packument(ruled)["dist-tags"] == {"latest": "2.0.0"}


def test_dependency_that_is_allowed_later_lets_go(make: Any, source: ScriptedSource, clock: Clock) -> None:
    """A hold that no time ends is looked at again: the dependency may have an allowed version meanwhile."""
    source.publish("bad", "9.0.0")
    source.publish("left-pad", "2.1.0", dependencies={"bad": "*"})
    ruled = make(Names("9.0.0"), HeldDependency())
    assert packument(ruled)["dist-tags"] == {"latest": "2.0.0"}
    source.publish("bad", "9.0.1")
    clock.now += LOOK - timedelta(seconds=1)
    assert packument(ruled)["dist-tags"] == {"latest": "2.0.0"}
    clock.now += timedelta(seconds=1)
    assert packument(ruled)["dist-tags"] == {"latest": "2.1.0"}


def test_new_decisions_are_told_once(make: Any) -> None:
    """Whoever records them is called per decision, not per request."""
    ruled = make(Names("2.0.0"))
    for _ in range(3):
        packument(ruled)
    ((judged, before),) = ruled.decisions
    assert before is None
    assert list(judged.decision.blocked) == ["2.0.0"]
