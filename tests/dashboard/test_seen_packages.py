"""Packages from the upstream, their signatures, and the size of what is stored: on pages and by the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.browser import HOME, Browser, signed_in
from support.hosting import PASSWORD, PlatformFixture
from support.publications import publish
from support.registry import ACTOR

from nproxy_mw import signing
from nproxy_mw.signing import P256
from nproxy_mw.signing.keys import P256Signer
from nproxy_mw.stack import gateway_to, transport_to
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import timestamp

NOW = datetime.now(UTC)
PAGE = f"{HOME}/orgs/acme/packages?show=upstream"
CALL = "/api/v1/orgs/acme/upstream-packages"


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    """Three packages; the newest version of axios is of this minute, so it is held."""
    with RecordingUpstream() as upstream:
        for name in ("axios", "lodash", "@types/node"):
            upstream.publish(name, "1.9.0")
            upstream.publish(name, "1.10.0")
        old = timestamp(NOW - timedelta(days=400))
        for name, packument in upstream.state.packuments.items():
            newest = timestamp(NOW) if name == "axios" else old
            packument["time"] = {"created": old, "1.9.0": old, "1.10.0": newest}
        yield upstream


@pytest.fixture
def fetched(town: PlatformFixture) -> PlatformFixture:
    """Clients of acme fetched two packages and an internal one; a client of beta another."""
    publish(town.platform.organization("acme"), "@acme/utils", "1.0.0")
    for org, path in (
        ("acme", "axios/-/axios-1.9.0.tgz"),
        ("acme", "@types/node/-/node-1.10.0.tgz"),
        ("acme", "@types/node/-/node-1.9.0.tgz"),
        ("acme", "@acme/utils/-/utils-1.0.0.tgz"),
        ("beta", "lodash/-/lodash-1.9.0.tgz"),
    ):
        assert town.client(org, "proxy").get(f"/{org}/{path}").status == 200
        town.platform.organization(org).ledger.flush()
    return town


def test_own_fetches_alone(fetched: PlatformFixture, browser: Browser) -> None:
    """Not what another organization fetched, and not internal packages."""
    page = browser.get(PAGE)
    assert page.status == 200
    assert "axios" in page.text
    assert "@types/node" in page.text
    assert "lodash" not in page.text
    assert f"{HOME}/orgs/acme/packages/@acme/utils" not in page.links
    other = browser.get(PAGE.replace("acme", "beta"))
    assert "lodash" in other.text
    assert "axios" not in other.text


def test_versions_and_verdicts(fetched: PlatformFixture, browser: Browser) -> None:
    """The highest version by number, when it was fetched, and what the rules hold now; each with its link."""
    page = browser.get(PAGE)
    assert "axios 1.9.0" in page.text
    assert "1 held" in page.text
    assert "@types/node 1.10.0" in page.text
    assert {f"{HOME}/orgs/acme/packages/axios", f"{HOME}/orgs/acme/packages/axios/1.9.0"} <= set(page.links)
    assert browser.follow(f"{HOME}/orgs/acme/packages/axios").status == 200


@pytest.fixture
def kept(upstream: RecordingUpstream, tmp_path: Path) -> PlatformFixture:
    """A platform that keeps packuments, whose client fetched a package with one held version."""
    transport = transport_to(upstream.url)
    assert transport is not None
    tenants = PlatformFixture(upstream=gateway_to(transport, str(tmp_path / "cache")))
    assert tenants.client("acme", "proxy").get("/acme/axios/-/axios-1.9.0.tgz").status == 200
    tenants.platform.organization("acme").ledger.flush()
    return tenants


def test_version_that_is_held_by_now(kept: PlatformFixture, upstream: RecordingUpstream) -> None:
    """It was fetched before; the list says so right after the rules changed, though no client and no page asked."""
    browser, asked = signed_in(kept), len(upstream.requests)
    kept.platform.organization("acme").settings.block(["axios@1.9.0 # Hijacked."], actor=ACTOR)
    page = browser.get(PAGE)
    assert "held now" in page.text
    assert "2 held" in page.text
    (axios,) = kept.manager().get(CALL, query="sort=name").json["packages"]
    assert (axios["held"], axios["isNewestHeld"]) == (2, True)
    assert len(upstream.requests) == asked
    assert kept.client("acme", "proxy").get("/acme/axios/-/axios-1.9.0.tgz").status == 403
    kept.platform.organization("acme").settings.change(
        {"rules": {"blocklist": {"mode": "on", "entries": []}}}, actor=ACTOR
    )
    assert "1 held" in browser.get(PAGE).text


def test_what_is_no_name_in_the_ledger_hides_nothing(kept: PlatformFixture) -> None:
    """The list has the others, and so has the preview of other rules."""
    browser, ledger = signed_in(kept), kept.platform.organization("acme").ledger
    ledger.record("<no name>", "1.0.0", "", "192.0.2.1")
    ledger.flush()
    assert "1 held" in browser.get(PAGE).text
    rules = browser.get(f"{HOME}/orgs/acme/rules")
    preview = browser.submit(rules, "/rules/preview", rules__version_age__mode="off")
    assert preview.status == 200


def test_version_of_which_nothing_is_kept(fetched: PlatformFixture, browser: Browser) -> None:
    """A list asks nobody: after a change of the rules it has a dash, until something asks for the package."""
    fetched.platform.organization("acme").settings.block(["axios@1.9.0 # Hijacked."], actor=ACTOR)
    page = browser.get(PAGE)
    assert "held" not in page.text
    assert "A dash: nothing is decided yet." in page.text
    assert fetched.client("acme", "proxy").get("/acme/axios/-/axios-1.9.0.tgz").status == 403
    assert "2 held" in browser.get(PAGE).text


def test_search_and_pages(fetched: PlatformFixture, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The links of a page lead to the next one, in both orders; a text in the name is found."""
    monkeypatch.setattr("nproxy_mw.middleware.dashboard.pages.seen.LENGTH", 1)
    for sort, names in (("name", ["@types/node", "axios"]), ("fetched", ["@types/node", "axios"])):
        page, found = browser.get(f"{PAGE}&sort={sort}"), []
        for _ in names:
            found += [name for name in ("@types/node", "axios") if f"{HOME}/orgs/acme/packages/{name}" in page.links]
            assert "2 packages" in page.text
            following = [link for link in page.links if "after=" in link]
            page = browser.get(f"{HOME}/orgs/acme/packages{following[0]}") if following else page
        assert found == names
    assert "axios 1.9.0" in browser.get(f"{PAGE}&q=XIO").text
    assert "No package has “nothing” in its name" in browser.get(f"{PAGE}&q=nothing").text


def test_long_names_make_short_pages(town: PlatformFixture, browser: Browser) -> None:
    """Within 60 kB, whatever packages are called; the next page goes on behind the last one that is shown."""
    ledger = town.platform.organization("acme").ledger
    names = [f"{number:03}{mark * 211}" for number in range(60) for mark in "'a"]
    for name in names:
        ledger.record(name, "1.0.0-" + "a" * 249, "", "192.0.2.1")
    ledger.flush()
    for sort in ("name", "fetched"):
        page, found = browser.get(f"{PAGE}&sort={sort}"), list[str]()
        for _ in range(20):
            assert len(page.body) <= 60_000
            found += [
                unquote(link.rpartition("/")[2]) for link in page.links if "/packages/" in link and "." not in link
            ]
            following = [link for link in page.links if "after=" in link]
            if not following:
                break
            page = browser.get(f"{HOME}/orgs/acme/packages{following[0]}")
        assert sorted(found) == sorted(names)


POSITIONS = ["axios&at=x", "../x", "%00", "axios&at=1e9", f"axios&at={'9' * 20}"]


@pytest.mark.parametrize("position", POSITIONS)
def test_bad_positions_are_refused(fetched: PlatformFixture, browser: Browser, position: str) -> None:
    """With a sentence."""
    assert browser.get(f"{PAGE}&after={position}").status == 400


def test_readers_and_strangers(fetched: PlatformFixture) -> None:
    """A reader of acme sees acme's list; beta's is not there for them; without a session there is a sign-in."""
    eve = signed_in(fetched, "eve")
    assert "axios" in eve.get(PAGE).text
    assert eve.get(PAGE.replace("acme", "beta")).status == 404
    assert Browser(fetched.app).get(PAGE).status == 303
    secret = fetched.sessions.create(fetched.administrators.verify("eve", PASSWORD, actor=ACTOR), actor=ACTOR)[0]
    client = fetched.manager()
    client.token = secret
    assert client.get(CALL).status == 200
    for call in ("upstream-packages", "upstream-packages/lodash/1.9.0", "storage"):
        assert client.get(f"/api/v1/orgs/beta/{call}").status == 404
        assert fetched.stranger().get(f"/api/v1/orgs/acme/{call}").status == 401
        assert fetched.client("acme", "proxy").get(f"/api/v1/orgs/acme/{call}").status == 401


def test_api_has_pages_of_it(fetched: PlatformFixture) -> None:
    """With the cursor of each as the beginning of the next, in both orders."""
    manager = fetched.manager()
    for sort, names in (("name", ["@types/node", "axios"]), ("fetched", ["@types/node", "axios"])):
        first = manager.get(CALL, query=f"limit=1&sort={sort}").json
        second = manager.get(CALL, query=f"limit=1&sort={sort}&after={first['next']}").json
        assert [one["name"] for one in (*first["packages"], *second["packages"])] == names
        assert (first["total"], second["next"]) == (2, None)
    assert manager.get(CALL, query="after=x,axios").status == 400
    assert manager.get(CALL, query="sort=size").status == 400
    assert [one["name"] for one in manager.get(CALL, query="text=AX").json["packages"]] == ["axios"]


def test_signatures_of_a_version(fetched: PlatformFixture, browser: Browser, upstream: RecordingUpstream) -> None:
    """On its page and by the API: none, then one by a key that the upstream lists."""
    page = f"{HOME}/orgs/acme/packages/lodash/1.9.0"
    assert "Signatures none" in browser.get(page).text
    signer = P256Signer()
    upstream.state.keys = [signing.public_record(P256, signer.public)]
    dist = upstream.state.packuments["axios"]["versions"]["1.9.0"]["dist"]
    upstream.publish("signed", "1.0.0")
    dist = upstream.state.packuments["signed"]["versions"]["1.0.0"]["dist"]
    dist["signatures"] = signing.signatures("signed", "1.0.0", dist["integrity"], [signer])["signatures"]
    text = browser.get(f"{HOME}/orgs/acme/packages/signed/1.0.0").text
    assert f"Signatures valid by the key {signer.key_id}" in text
    answer = fetched.manager().get(f"{CALL}/signed/1.0.0").json
    assert answer["areSignaturesValid"] is True
    assert answer["signatures"] == [{"state": "valid", "keyId": signer.key_id}]
    assert fetched.manager().get(f"{CALL}/signed/7.0.0").status == 404
    assert fetched.manager().get(f"{CALL}/@acme/utils/1.0.0").status == 404
    assert upstream.asked("acme") == []


def test_size_of_what_is_stored(upstream: RecordingUpstream, tmp_path: Path) -> None:
    """The bytes of the organization's own tarballs, and the cache that all share against its bound, when counted."""
    transport = transport_to(upstream.url)
    assert transport is not None
    tenants = PlatformFixture(upstream=gateway_to(transport, str(tmp_path / "cache"), bound=10**9))
    tenants.scopes("acme", "@acme")
    before = tenants.manager().get("/api/v1/orgs/acme/storage").json
    assert before["packages"]["bytes"] == 0
    assert before["cache"] == {"bytes": None, "bound": 10**9, "countedAt": None}
    made = [publish(tenants.platform.organization("acme"), "@acme/utils", f"1.0.{n}") for n in range(3)]
    assert tenants.client("acme", "proxy").get("/acme/lodash/-/lodash-1.9.0.tgz").status == 200
    after = tenants.manager().get("/api/v1/orgs/acme/storage").json
    assert after["packages"]["bytes"] == sum(len(one.tarball) for one in made)
    assert after["packages"]["countedAt"] is not None
    assert tenants.manager().get("/api/v1/orgs/beta/storage").json["packages"]["bytes"] == 0
    text = signed_in(tenants).get(f"{HOME}/orgs/acme/overview").text
    assert f"{after['packages']['bytes']} B of tarballs, counted" in text or "kB of tarballs, counted" in text
    assert "of at most 1.0 GB on this host, for all organizations" in text
