"""Every door at which a version can be asked for, once it turned out that nobody may have it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest
from support.client import ABBREVIATED, Client

from nproxy_mw.npm.tarballs import Whole
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.rules.held import Held
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.upstream.kept_tarballs import INLINE, Wanted
from nproxy_mw.upstream.observations import Observations

FILE = "/left-pad/-/left-pad-1.1.0.tgz"
FORMS: dict[str, dict[str, str]] = {
    "full": {"Accept": "application/json"},
    "abbreviated": {"Accept": ABBREVIATED},
    "slim": {"Accept": "application/json", "User-Agent": "npm/11.19.1", "npm_command": "install"},
}
SMALL, LARGE = 10, 2 * INLINE


def forge(upstream: RecordingUpstream, size: int) -> None:
    """The upstream has a version whose tarball runs a script that its manifest does not tell of."""
    noise = random.Random(1).randbytes(size)
    upstream.publish("left-pad", "1.1.0", {"scripts": {"postinstall": "node evil.js"}}, {"noise.bin": noise})
    del upstream.state.packuments["left-pad"]["versions"]["1.1.0"]["scripts"]


def check_is_nowhere(client: Client, reason: str) -> None:
    """Passes when no door gives version 1.1.0, and those that name it say why."""
    for headers in FORMS.values():
        document = client.get("/left-pad", **headers).json
        assert list(document["versions"]) == ["1.0.0"]
        assert document["dist-tags"] == {"latest": "1.0.0"}
        assert "1.1.0" not in document.get("time", {})
    assert client.get("/left-pad/latest").json["version"] == "1.0.0"
    assert client.get("/-/package/left-pad/dist-tags").json == {"latest": "1.0.0"}
    for refused in (client.get("/left-pad/1.1.0"), client.get(FILE), client.get(FILE, Range="bytes=0-9")):
        assert (refused.status, refused.code) == (403, "held-by-rule")
        assert reason in refused.error
    assert client.head(FILE).status == 403
    assert client.head("/left-pad/1.1.0").status == 403
    assert client.get("/left-pad/-/left-pad-1.0.0.tgz").status == 200


def check_is_everywhere(client: Client) -> None:
    """Passes when every door gives version 1.1.0."""
    for headers in FORMS.values():
        assert list(client.get("/left-pad", **headers).json["versions"]) == ["1.0.0", "1.1.0"]
    assert client.get("/left-pad/latest").json["version"] == "1.1.0"
    assert client.get("/-/package/left-pad/dist-tags").json == {"latest": "1.1.0"}
    assert client.get("/left-pad/1.1.0").status == 200


def check_is_told_once(client: Client, organization: Organization, rule: str) -> None:
    """Passes when the trail has one event of *rule* about version 1.1.0, however often it was asked for."""
    client.get(FILE)
    client.get(FILE)
    client.app.firewall.log.flush()
    told = [one for one in organization.trail.chain() if one.get("rule") == rule]
    assert [(one["event"], one["package"], one["versions"]) for one in told] == [("rule.warned", "left-pad", ["1.1.0"])]


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-99"}], ids=["whole", "part"])
def test_first_request_is_refused(
    upstream: RecordingUpstream, process: Callable[..., Client], size: int, method: str, headers: dict[str, str]
) -> None:
    """The first request for it fetches it, looks into it, and gets none of it; other processes know at once."""
    forge(upstream, size)
    first, second = process(), process()
    check_is_everywhere(first)
    check_is_everywhere(second)
    refused = first.head(FILE, **headers) if method == "HEAD" else first.get(FILE, **headers)
    assert refused.status == 403
    if method == "GET":
        assert refused.code == "held-by-rule"
        assert "differs from the packument in scripts (postinstall)" in refused.error
    for client in (first, second, process()):
        check_is_nowhere(client, "scripts (postinstall)")
    assert len(upstream.asked(FILE)) == 1


def test_slow_tarball_is_never_complete(upstream: RecordingUpstream, process: Callable[..., Client]) -> None:
    """Of a large one that takes long, the first bytes are on their way: the transfer is cut, and then it is refused."""
    forge(upstream, LARGE)
    first, second = process(whole_first=0), process()
    check_is_everywhere(second)
    with pytest.raises(Held, match="postinstall"):
        first.get(FILE)
    for client in (first, second, process()):
        check_is_nowhere(client, "scripts (postinstall)")


def as_of_an_older_version(cache: Path) -> None:
    """The cache as it was before tarballs were looked into: their seals do not say that, and nothing else does."""
    for path in cache.rglob("verified.*"):
        path.unlink()
    seals = list(cache.rglob("*.seal"))
    assert seals
    for path in seals:
        seal = json.loads(path.read_bytes())
        path.write_text(json.dumps({"size": seal["size"], "digest": seal["digest"]}))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_tarball_that_was_kept_before_is_looked_into(
    upstream: RecordingUpstream, process: Callable[..., Client], tmp_path: Path, size: int
) -> None:
    """What an older version of this program kept is looked into when it is asked for first, and refused."""
    forge(upstream, size)
    manifest = upstream.state.packuments["left-pad"]["versions"]["1.1.0"]
    manifest["scripts"] = {"postinstall": "node evil.js"}
    assert process().get(FILE).status == 200
    del manifest["scripts"]
    as_of_an_older_version(tmp_path / "cache")
    first, second = process(ttl=0), process(ttl=0)
    assert (first.get(FILE).status, second.head(FILE).status) == (403, 403)
    for client in (first, second, process()):
        check_is_nowhere(client, "scripts (postinstall)")
    assert len(upstream.asked(FILE)) == 1


def test_kept_tarball_is_looked_into_once(
    upstream: RecordingUpstream, process: Callable[..., Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process looks; the others, and later requests, rely on it."""
    assert process().get(FILE).status == 200
    as_of_an_older_version(tmp_path / "cache")
    looks: list[str] = []
    real = Observations.arrived

    def arrived(self: Observations, tarball: Wanted, data: Whole) -> None:
        looks.append(tarball.filename)
        real(self, tarball, data)

    monkeypatch.setattr(Observations, "arrived", arrived)
    first, second = process(), process()
    for client in (first, second, first, second, process()):
        assert client.get(FILE).body == upstream.state.tarballs[FILE]
    assert looks == ["left-pad-1.1.0.tgz"]


def test_kept_tarball_is_served_where_it_cannot_be_looked_into(
    upstream: RecordingUpstream, process: Callable[..., Client], tmp_path: Path
) -> None:
    """While the upstream is away and its packument is not kept, there is nothing to compare it with."""
    client = process()
    assert client.get(FILE).status == 200
    as_of_an_older_version(tmp_path / "cache")
    for path in (tmp_path / "cache").rglob("packuments"):
        rmtree(path)
    upstream.on("GET", "/left-pad", Reply(500))
    assert process().get(FILE).body == upstream.state.tarballs[FILE]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_warned_tarball_is_served(
    upstream: RecordingUpstream,
    process: Callable[..., Client],
    organization: Organization,
    set_rules: Callable[..., None],
    size: int,
) -> None:
    """In the mode ``warn`` it is handed out whole."""
    forge(upstream, size)
    set_rules(manifest_mismatch={"mode": "warn"})
    client = process()
    assert client.get(FILE).body == upstream.state.tarballs[FILE]
    check_is_everywhere(client)
    assert client.get(FILE, Range="bytes=0-9").status == 206
    check_is_told_once(client, organization, "manifest_mismatch")


def test_honest_tarball_passes(upstream: RecordingUpstream, process: Callable[..., Client]) -> None:
    """What its manifest describes is kept and served."""
    client = process()
    assert client.get(FILE).body == client.get(FILE).body == upstream.state.tarballs[FILE]
    check_is_everywhere(client)


def withdraw(upstream: RecordingUpstream) -> None:
    """The upstream lists version 1.1.0 no longer, and tells nobody that it ever did."""
    packument = upstream.state.packuments["left-pad"]
    del packument["versions"]["1.1.0"], packument["time"]["1.1.0"]
    packument["dist-tags"]["latest"] = "1.0.0"


def test_withdrawn_version_is_refused(upstream: RecordingUpstream, process: Callable[..., Client]) -> None:
    """A version that was held, and that two fresh packuments lack, is refused by its name, its kept tarball too."""
    client = process(ttl=0)
    assert client.get(FILE).status == 200
    withdraw(upstream)
    assert list(client.get("/left-pad").json["versions"]) == ["1.0.0"]
    client.get("/left-pad")
    for other in (client, process(ttl=0), process()):
        check_is_nowhere(other, "the upstream registry removed it")


def test_outage_brings_nothing_back(upstream: RecordingUpstream, process: Callable[..., Client]) -> None:
    """What is served while the upstream is away lacks it as well, in every process and after a restart."""
    client = process(ttl=0)
    assert client.get(FILE).status == 200
    withdraw(upstream)
    client.get("/left-pad")
    client.get("/left-pad")
    upstream.on("GET", "/left-pad", Reply(500))
    for other in (client, process(ttl=0)):
        check_is_nowhere(other, "the upstream registry removed it")


def test_version_that_is_listed_again_is_back(upstream: RecordingUpstream, process: Callable[..., Client]) -> None:
    """One fresh packument that lists it is enough."""
    client = process(ttl=0)
    assert client.get(FILE).status == 200
    before = json.dumps(upstream.state.packuments["left-pad"])
    withdraw(upstream)
    client.get("/left-pad")
    client.get("/left-pad")
    assert client.get(FILE).status == 403
    upstream.state.packuments["left-pad"] = json.loads(before)
    check_is_everywhere(client)
    assert client.get(FILE).status == 200


def test_withdrawn_version_may_be_warned_of(
    upstream: RecordingUpstream,
    process: Callable[..., Client],
    organization: Organization,
    set_rules: Callable[..., None],
) -> None:
    """In the mode ``warn`` its kept tarball is served, and reported."""
    set_rules(removed_upstream={"mode": "warn"})
    client = process(ttl=0)
    assert client.get(FILE).status == 200
    withdraw(upstream)
    client.get("/left-pad")
    client.get("/left-pad")
    assert client.get(FILE).body == upstream.state.tarballs[FILE]
    assert client.get(FILE, Range="bytes=0-9").status == 206
    check_is_told_once(client, organization, "removed_upstream")
