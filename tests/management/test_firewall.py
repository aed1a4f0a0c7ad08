"""Why a version is held, for an administrator and for the developer who was refused; and who fetched what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from support.dated import upstream_with_a_young_version
from support.hosting import PlatformFixture
from support.registry import ACTOR

from nproxy_mw.middleware.management.firewall import MAX_INSTALLS
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import timestamp

NOW = datetime.now(UTC)
PATH = "/api/v1/orgs/acme"


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    """Two packages with an old version and one of this minute."""
    with upstream_with_a_young_version(NOW, "axios", "@types/axios") as upstream:
        yield upstream


@pytest.fixture
def town(upstream: RecordingUpstream) -> PlatformFixture:
    """Two organizations over that upstream; @acme is internal to one of them."""
    town = PlatformFixture(upstream=upstream.url)
    town.scopes("acme", "@acme")
    return town


def rules_that_flag(explained: Any) -> list[str]:
    return [one["rule"] for one in explained["rules"] if one["flags"]]


@pytest.mark.parametrize("name", ["axios", "@types/axios", "@types%2faxios"])
def test_version_is_explained(town: PlatformFixture, name: str) -> None:
    """By number and by tag, with the rule that holds it, until when, and what to use instead."""
    for version in ("1.1.0", "latest"):
        found = town.manager().get(f"{PATH}/explain/{name}/{version}").json
        assert (found["version"], found["verdict"], found["instead"]) == ("1.1.0", "held", "1.0.0")
        assert rules_that_flag(found) == ["version_age"]
        assert found["availableFrom"] == timestamp(NOW + timedelta(hours=48))
    assert town.manager().get(f"{PATH}/explain/{name}/1.0.0").json["verdict"] == "allowed"


def test_package_is_explained(town: PlatformFixture) -> None:
    """Each of its newest versions with a verdict, and the tags that were moved."""
    found = town.manager().get(f"{PATH}/explain/axios").json
    assert [(one["version"], one["verdict"]) for one in found["versions"]] == [("1.1.0", "held"), ("1.0.0", "allowed")]
    assert (found["tags"], found["movedTags"]) == ({"latest": "1.0.0"}, {"latest": "1.1.0"})


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param("@acme/utils", 404, "internal-package", id="internal"),
        pytest.param("@acme/utils/1.0.0", 404, "internal-package", id="internal version"),
        pytest.param("nothing", 404, "not-found", id="absent"),
        pytest.param("axios/1.0.0/2", 404, "route-not-found", id="too long"),
        pytest.param("axios/-/axios-1.0.0.tgz", 404, "route-not-found", id="tarball"),
        pytest.param("-/ping", 404, "route-not-found", id="no package"),
        pytest.param("..", 400, None, id="no name"),
        pytest.param("node_modules", 400, None, id="no name either"),
    ],
)
def test_what_cannot_be_explained(
    town: PlatformFixture, upstream: RecordingUpstream, path: str, status: int, code: str | None
) -> None:
    """Nothing internal is named to the upstream."""
    answer = town.manager().get(f"{PATH}/explain/{path}")
    assert answer.status == status, answer.json
    assert code is None or answer.code == code
    assert upstream.asked("acme") == []


def test_without_upstream_there_are_no_rules() -> None:
    """And the sentence says so."""
    town = PlatformFixture()
    town.platform.gateway = None
    assert town.manager().get(f"{PATH}/explain/axios").code == "no-upstream"


@pytest.mark.parametrize("name", ["axios", "@types/axios"])
@pytest.mark.parametrize("path", ["/{0}/1.1.0", "/{0}/-/axios-1.1.0.tgz"])
def test_refusal_names_a_url_that_explains_it(town: PlatformFixture, name: str, path: str) -> None:
    """The developer who was refused can open it with the same token."""
    developer = town.client("acme", "proxy")
    refusal = developer.get(f"/acme{path.format(name)}")
    assert (refusal.status, refusal.code) == (403, "held-by-rule")
    url = urlsplit(refusal.json["explain"])
    assert url.path == f"/acme/-/nproxy/explain/{name}/1.1.0"
    found = developer.get(url.path)
    assert (found.status, found.json["verdict"]) == (200, "held")
    assert found.headers["cache-control"] == "no-store"


def test_refusal_of_a_whole_package_names_the_url_of_the_package(town: PlatformFixture) -> None:
    """Where every version is held."""
    town.platform.organization("acme").settings.change({"rules": {"version_age": {"hours": 24 * 500}}}, actor=ACTOR)
    refusal = town.client("acme", "proxy").get("/acme/axios")
    assert urlsplit(refusal.json["explain"]).path == "/acme/-/nproxy/explain/axios"


def test_explanation_is_read_as_packages_are(town: PlatformFixture, upstream: RecordingUpstream) -> None:
    """Without a token where public reads are allowed, and only then; never of an internal package."""
    path = "/acme/-/nproxy/explain/axios/1.1.0"
    assert town.stranger().get(path).json["verdict"] == "held"
    town.platform.organization("acme").settings.change({"publicReads": False}, actor=ACTOR)
    assert town.stranger().get(path).status == 401
    assert town.client("acme", "publish").get(path).status == 403
    assert town.client("acme", "proxy").get(path).status == 200
    assert town.client("acme").get("/acme/-/nproxy/explain/@acme/utils").status == 404
    assert town.client("acme").put(path, {}).status == 405
    assert upstream.asked("@acme") == []


def fetch(town: PlatformFixture, *names: str) -> None:
    for name in names:
        assert town.client("acme", "proxy").get(f"/acme/{name}/-/axios-1.0.0.tgz").status == 200
    town.platform.organization("acme").ledger.flush()


def installs(town: PlatformFixture, **query: str) -> Any:
    text = "&".join(f"{key}={quote(value)}" for key, value in query.items())
    return town.manager().get(f"{PATH}/installs", query=text).json


def test_installs_are_found(town: PlatformFixture) -> None:
    """By package, version or range, token and time; with who it was, when, and how often."""
    fetch(town, "axios", "axios", "@types/axios")
    found = installs(town, package="axios")
    assert found["isComplete"]
    assert [(one["package"], one["version"], one["times"]) for one in found["installs"]] == [("axios", "1.0.0", 1)] * 2
    token = found["installs"][0]["token"]
    assert token in {one.id for one in town.platform.organization("acme").tokens.list()}
    assert len(installs(town, token=token)["installs"]) == 1
    assert len(installs(town, version="^1.0.0")["installs"]) == 3
    assert installs(town, package="axios", version=">1.0.0")["installs"] == []
    assert installs(town, to=timestamp(NOW - timedelta(hours=1)))["installs"] == []
    since = timestamp(NOW - timedelta(hours=1))
    assert len(installs(town, **{"from": since, "to": timestamp(NOW + timedelta(hours=1))})["installs"]) == 3


def test_installs_are_bounded(town: PlatformFixture) -> None:
    """An answer that has not all says so."""
    fetch(town, "axios", "@types/axios")
    assert [len(installs(town, limit=limit)["installs"]) for limit in "12"] == [1, 2]
    assert [installs(town, limit=limit)["isComplete"] for limit in "12"] == [False, True]


def test_installs_are_each_organizations_own(town: PlatformFixture) -> None:
    """The other one has none."""
    fetch(town, "axios")
    assert town.manager().get("/api/v1/orgs/beta/installs").json == {"installs": [], "isComplete": True}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=2026-11-26T12:00:00", "to"),
        ("from=2020-01-01T00:00:00Z", "from"),
        ("from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("version=one", "version"),
        ("limit=0", "limit"),
        (f"limit={MAX_INSTALLS + 1}", "limit"),
        ("packages=axios", "packages"),
    ],
)
def test_question_that_is_none_is_refused(town: PlatformFixture, query: str, field: str) -> None:
    """With the parameter's name."""
    answer = town.manager().get(f"{PATH}/installs", query=query)
    assert answer.status == 400
    assert list(answer.json["fields"]) == [field]


def test_exposure_is_found_and_blocked(town: PlatformFixture) -> None:
    """Who fetched anything of a list; from then on clients are refused, with the reason."""
    client = town.client("acme", "proxy")
    assert client.get("/acme/axios/-/axios-1.0.0.tgz").status == 200
    town.platform.organization("acme").ledger.flush()
    asked = {"what": ["chalk", "axios@<1.1.0 # hijacked"]}
    found = town.manager().post(f"{PATH}/exposure", asked).json
    assert ([one["version"] for one in found["installs"]], found["isComplete"]) == (["1.0.0"], True)
    blocked = town.manager().post(f"{PATH}/blocklist", {**asked, "reason": "Hijacked."})
    assert (blocked.status, blocked.json["entries"]) == (201, ["chalk # Hijacked.", "axios@<1.1.0 # Hijacked."])
    refused = client.get("/acme/axios/-/axios-1.0.0.tgz")
    assert (refused.status, "an administrator blocked it: Hijacked." in refused.json["error"]) == (403, True)
    town.platform.firewall("acme").log.flush()
    decisions = town.manager().get(f"{PATH}/decisions", query="kind=rule.blocked&package=axios").json["decisions"]
    assert {one["rule"] for one in decisions} == {"version_age", "blocklist"}


@pytest.mark.parametrize(
    ("call", "body", "field"),
    [
        ("exposure", {"what": ["node_modules"]}, "what"),
        ("exposure", {"what": ["MAL-2026-1"]}, "what"),
        ("exposure", {"what": ["axios"], "from": "yesterday"}, "from"),
        ("blocklist", {"what": ["axios"]}, "reason"),
        ("blocklist", {"what": [], "reason": "x"}, "what"),
        ("settings/preview", {"rules": {"score": {"threshold": 2}}}, "rules.score.threshold"),
    ],
)
def test_what_is_no_question_is_refused_at_its_field(town: PlatformFixture, call: str, body: Any, field: str) -> None:
    """With a sentence; nothing is changed."""
    answer = town.manager().post(f"{PATH}/{call}", body)
    assert (answer.status, list(answer.json["fields"])) == (400, [field])


def test_change_of_the_settings_is_previewed(town: PlatformFixture) -> None:
    """What it would do to what was fetched; nothing is changed."""
    assert town.client("acme", "proxy").get("/acme/axios/-/axios-1.0.0.tgz").status == 200
    town.platform.organization("acme").ledger.flush()
    change = {"rules": {"version_age": {"mode": "warn"}}}
    found = town.manager().post(f"{PATH}/settings/preview", change).json
    assert (found["lookedAt"], found["packages"]) == (1, 1)
    assert [(one["version"], one["before"], one["after"]) for one in found["changes"]] == [("1.1.0", "held", "warned")]
    assert town.platform.organization("acme").settings.get().rules["version_age"]["mode"] == "block"
