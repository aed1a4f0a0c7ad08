"""The pages about upstream packages: what the rules decided, why, and who fetched what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from dashboard.test_hostile import check
from support.browser import HOME, Browser, Seen, signed_in
from support.dated import upstream_with_a_young_version
from support.hosting import PlatformFixture
from support.osv import affected, events, record
from support.payloads import PAYLOADS
from support.registry import ACTOR

from nproxy_mw.intelligence.combined import Combined
from nproxy_mw.intelligence.osv_build import build
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.osv_records import parse_record
from nproxy_mw.middleware.dashboard.pages import incident, rules
from nproxy_mw.orgs import revocation
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import timestamp

NOW = datetime.now(UTC)
ACME = f"{HOME}/orgs/acme"
PAGES = ("firewall", "explain", "incident")


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    """One package with an old version and one of this minute."""
    with upstream_with_a_young_version(NOW) as upstream:
        yield upstream


def ask(browser: Browser, page: str, org: str = "acme", **query: str) -> Seen:
    """The page with these parameters; from_ is from."""
    return browser.get(f"{HOME}/orgs/{org}/{page}?{urlencode({key.rstrip('_'): text for key, text in query.items()})}")


def decide(town: PlatformFixture, kind: str = "rule.blocked", **fields: object) -> None:
    """Appends a decision to the trail of acme, as the rules do."""
    trail = town.platform.organization("acme").trail
    known = {"package": "axios", "rule": "version_age", "versions": ["1.1.0"], "count": 1, "reason": "It is new."}
    trail.append(trail.stamp(ACTOR).events([(kind, {**known, **fields})]))


def fetch(town: PlatformFixture, org: str = "acme") -> str:
    """Installs axios 1.0.0 with a new token, whose id is returned."""
    tokens = town.platform.organization(org).tokens
    before = {one.id for one in tokens.list()}
    assert town.client(org, "proxy").get(f"/{org}/axios/-/axios-1.0.0.tgz").status == 200
    town.platform.organization(org).ledger.flush()
    (new,) = {one.id for one in tokens.list()} - before
    return new


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_for_readers_of_the_organization(town: PlatformFixture, page: str) -> None:
    """A stranger signs in first; another organization does not exist for a reader; the navigation names the page."""
    is_closed = page != "explain"
    assert Browser(town.app).get(f"{ACME}/{page}").status == (303 if is_closed else 200)
    eve = signed_in(town, "eve")
    assert eve.get(f"{ACME}/{page}").status == 200
    assert f"{ACME}/{page}" in eve.get(f"{ACME}/packages").links
    assert eve.get(f"{HOME}/orgs/beta/{page}").status == (404 if is_closed else 200)


def test_list_of_decisions_only_answers(browser: Browser) -> None:
    """It takes no form."""
    assert browser.post(f"{ACME}/firewall", b"").status == 405


def test_real_decision_is_listed_with_a_link_to_its_reasons(town: PlatformFixture, browser: Browser) -> None:
    """What a client was refused is on the page once the rules have written it down; the link leads to the reasons."""
    assert "no such decisions" in ask(browser, "firewall").text
    assert town.client("acme", "proxy").get("/acme/axios/1.1.0").status == 403
    town.platform.firewall("acme").log.flush()
    page = ask(browser, "firewall")
    assert "rule.blocked axios 1.1.0 version_age" in page.text
    (link,) = [link for link in page.links if link.endswith("/explain?package=axios&version=1.1.0")]
    assert "Available from" in browser.get(link).text
    assert "no such decisions" in ask(browser, "firewall", "beta").text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"axios", "chalk", "debug"}),
        ({"kind": "rule.blocked"}, {"axios"}),
        ({"kind": "rule.undecided"}, {"debug"}),
        ({"package": "chalk"}, {"chalk"}),
        ({"package": "chalk", "kind": "rule.blocked"}, set()),
        ({"package": "ms"}, {"debug"}),
    ],
    ids=["all", "kind", "other kind", "package", "both", "one of several"],
)
def test_decisions_are_filtered(
    town: PlatformFixture, browser: Browser, query: dict[str, str], shown: set[str]
) -> None:
    """By kind and by package. Events that are not about rules are never there."""
    decide(town)
    decide(town, "rule.warned", package="chalk")
    trail = town.platform.organization("acme").trail
    undecided = {"rule": "provenance", "reason": "There is no date.", "packages": ["debug", "ms"], "count": 9}
    trail.append(trail.stamp(ACTOR).events([("rule.undecided", undecided)]))
    page = ask(browser, "firewall", **query)
    links = [link for link in page.links if "/explain?" in link]
    assert {name for name in ("axios", "chalk", "debug") if any(f"package={name}" in link for link in links)} == shown
    assert len(links) == len(shown)
    assert ("and 7 more packages" in page.text) is ("debug" in shown)


@pytest.mark.parametrize(
    "query", ["kind=token.created", "kind=%3Cb%3E", "after=x", "after=99990101T000000.000Z-" + "0" * 32]
)
def test_list_of_decisions_refuses_what_is_no_filter(browser: Browser, query: str) -> None:
    """Other events, and cursors that no page can have had."""
    assert browser.get(f"{ACME}/firewall?{query}").status == 400


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_decisions_are_exported(town: PlatformFixture, browser: Browser, kind: str) -> None:
    """With the filters of the page."""
    decide(town)
    decide(town, "rule.warned", package="chalk", reason="=HYPERLINK(1)")
    links = [link for link in ask(browser, "firewall", kind="rule.warned").links if f"format={kind}" in link]
    text = browser.get(links[0]).body.decode()
    assert "chalk" in text
    assert "axios" not in text
    assert ("'=HYPERLINK" in text) is (kind == "csv")


def test_decisions_have_pages(town: PlatformFixture, browser: Browser) -> None:
    """Fifty on each; the link to the older ones keeps the filter."""
    trail = town.platform.organization("acme").trail
    facts = [
        ("rule.warned", {"package": "axios", "rule": "x", "versions": [f"1.0.{n}"], "count": 1}) for n in range(60)
    ]
    trail.append(trail.stamp(ACTOR).events(facts))
    first = ask(browser, "firewall", kind="rule.warned", package="axios")
    (older,) = [attributes["href"] for _, attributes in first.tags if attributes.get("rel") == "next"]
    last = browser.get(older)
    counts = [sum("/explain?" in link for link in page.links) for page in (first, last)]
    assert counts == [50, 10]
    assert not [tag for tag, attributes in last.tags if attributes.get("rel") == "next"]


def test_version_is_explained(browser: Browser) -> None:
    """Its verdict, what to use instead, and what each rule says of it."""
    page = ask(browser, "explain", package="axios", version="latest")
    assert page.status == 200
    assert "axios 1.1.0 Verdict held Available from" in page.text
    assert "Use instead 1.0.0" in page.text
    assert "version_age block holds it" in page.text
    allowed = ask(browser, "explain", package="axios", version="1.0.0")
    assert "Verdict allowed" in allowed.text
    assert "holds it" not in allowed.text
    assert (
        "Verdict absent The upstream does not list this version."
        in ask(browser, "explain", package="axios", version="7.7.7").text
    )


def test_exception_is_explained(town: PlatformFixture, browser: Browser) -> None:
    """The rule still speaks, and the page says that it is not obeyed."""
    exception = {"package": "axios", "reason": "The shop needs it.", "expiresAt": "2099-01-01T00:00:00Z"}
    town.platform.organization("acme").settings.add_exception(exception, actor=ACTOR)
    page = ask(browser, "explain", package="axios", version="1.1.0")
    assert "version_age block let through by an exception" in page.text
    assert "2099-01-01" in page.text


def test_package_is_explained(browser: Browser) -> None:
    """Each version with a verdict, and the tag that was moved."""
    text = ask(browser, "explain", package="axios").text
    assert "1.1.0 held version_age" in text
    assert "1.0.0 allowed" in text
    assert "latest 1.1.0 1.0.0" in text


@pytest.mark.parametrize(
    ("package", "version", "status", "sentence"),
    [
        pytest.param("@acme/utils", "", 404, "This package is internal", id="internal"),
        pytest.param("nothing", "", 404, "has no such package", id="absent"),
        pytest.param("node_modules", "", 400, "not a package name", id="no name"),
        pytest.param("axios/1.0.0", "", 400, "not a package name", id="a path"),
        pytest.param("", "1.0.0", 400, "not a package name", id="no package"),
        pytest.param("axios", "^1.0.0", 400, "not a version or a dist-tag", id="a range"),
        pytest.param("axios", "../x", 400, "not a version or a dist-tag", id="no version"),
    ],
)
def test_what_cannot_be_explained_has_a_sentence(
    browser: Browser, upstream: RecordingUpstream, package: str, version: str, status: int, sentence: str
) -> None:
    """On the form, and nothing internal is named to the upstream."""
    page = ask(browser, "explain", package=package, version=version)
    (alert,) = [attributes for _, attributes in page.tags if attributes.get("role") == "alert"]
    assert (page.status, alert["class"]) == (status, "alert")
    assert sentence in page.text
    assert upstream.asked("acme") == []


def test_without_upstream_the_page_says_so(tenants: PlatformFixture) -> None:
    """There are no rules then."""
    tenants.platform.gateway = None
    page = ask(signed_in(tenants), "explain", package="axios")
    assert page.status == 404
    assert "This server has no upstream" in page.text


def test_installs_are_found(town: PlatformFixture, browser: Browser) -> None:
    """By a link about one package, range and time, with the token that fetched."""
    token = fetch(town)
    page = ask(browser, "incident", package="axios", version="^1.0.0", from_=NOW.strftime("%Y-%m-%d"))
    assert "1 fetch with 1 token from 1 address." in page.text
    assert f"bob {token}" in page.text


def find(browser: Browser, what: str, **fields: str) -> Seen:
    """Sends the form of the page."""
    return browser.submit(browser.get(f"{ACME}/incident"), "/incident", what=what, **fields)


def test_a_pasted_list_is_found(town: PlatformFixture, browser: Browser) -> None:
    """Names, versions and ranges, one a line, with what stands behind a # left out."""
    fetch(town)
    page = find(browser, "# of this morning\nchalk\naxios@>=1.0.0 <1.1.0  # hijacked\n\n@types/node@1.0.0\n")
    assert page.status == 200
    assert "1 fetch with 1 token from 1 address." in page.text
    assert "Nobody fetched any of it" in find(browser, "axios@1.1.0\nchalk").text


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("", "Name at least one package"),
        ("axios\nnode_modules", "Line 2: "),
        ("axios@one two three", "Line 1: "),
        ("MAL-2026-1", "No advisory MAL-2026-1 about an npm package is known here"),
        ("a\n" * 2001, "at most 2,000 lines"),
        ("a" * 20_000, "too much for a page"),
    ],
)
def test_a_list_that_is_none_is_refused_at_its_field(browser: Browser, what: str, sentence: str) -> None:
    """The sentence says which line it is."""
    page = find(browser, what)
    assert page.status == 400
    assert sentence in page.text
    assert [one["name"] for tag, one in page.tags if "aria-invalid" in one] == ["what"]


def database_of(folder: Path) -> OsvDatabase:
    """A database of one record, MAL-2026-1."""
    entry = affected(events(("introduced", "1.0.0"), ("fixed", "1.1.0")), package="axios")
    found = parse_record(json.dumps(record("MAL-2026-1", entry)).encode())
    build(folder / "osv.db", [found], built=timestamp(NOW), source="tests")
    return OsvDatabase(folder / "osv.db")


def test_an_advisory_is_found(town: PlatformFixture, browser: Browser, tmp_path: Path) -> None:
    """By its id, in the database that the rules use."""
    fetch(town)
    town.platform.firewall("acme").policies.intelligence = Combined([database_of(tmp_path)])
    assert "1 fetch with 1 token" in find(browser, "MAL-2026-1").text
    blocked = browser.submit(find(browser, "MAL-2026-1"), "/incident", formaction="/block", reason="It is malware.")
    assert "on the block list" in blocked.text
    entries = town.platform.organization("acme").settings.get().rules["blocklist"]["entries"]
    assert entries == ["axios@>=1.0.0 <1.1.0 # It is malware."]


def test_versions_are_blocked_at_once(town: PlatformFixture, browser: Browser) -> None:
    """The next request is refused with the reason, whatever exception stands; the trail says who did it."""
    client, organization = town.client("acme", "proxy"), town.platform.organization("acme")
    lenient = {"package": "axios", "reason": "The shop needs it.", "expiresAt": "2099-01-01T00:00:00Z"}
    organization.settings.add_exception(lenient, actor=ACTOR)
    assert client.get("/acme/axios/-/axios-1.0.0.tgz").status == 200
    page = find(browser, "axios@<=1.0.0\n@acme/utils")
    assert browser.submit(page, "/incident", formaction="/block").status == 400
    done = browser.submit(page, "/incident", formaction="/block", reason="Hijacked this morning.")
    assert "The versions are on the block list." in done.text
    refused = client.get("/acme/axios/-/axios-1.0.0.tgz")
    assert refused.status == 403
    assert "an administrator blocked it: Hijacked this morning." in refused.json["error"]
    assert client.get("/acme/axios/1.1.0").status == 200
    newest = organization.trail.page(limit=1, event="settings.changed")[0][0]
    assert (newest["by"], "axios@<=1.0.0 # Hijacked this morning." in str(newest["new"])) == ("ann", True)
    assert "@acme/utils" not in str(organization.settings.get().rules["blocklist"])


def test_internal_packages_are_not_blocked_by_rules(browser: Browser) -> None:
    """The page says what to do instead."""
    page = browser.submit(find(browser, "@acme/utils"), "/incident", formaction="/block", reason="x")
    assert (page.status, "unpublish an internal one instead" in page.text) == (400, True)


def test_chosen_tokens_are_revoked_after_a_question(town: PlatformFixture, browser: Browser) -> None:
    """Those that are checked, and no others."""
    fetch(town)
    kept = fetch(town)
    tokens = town.platform.organization("acme").tokens
    page = find(browser, "axios")
    (chosen,) = {one.id for one in tokens.list()} - {kept}
    question = browser.submit(page, "/incident", formaction="/revoke", chosen=chosen)
    assert "1 token will open nothing from now on." in question.text
    assert len(tokens.list()) == 2
    assert "The tokens are revoked." in browser.submit(question, "/revoke", confirm="yes").text
    assert [one.id for one in tokens.list()] == [kept]
    assert "revoked 2" in find(browser, "axios").text
    none = browser.submit(find(browser, "axios"), "/incident", formaction="/revoke", chosen="0" * 16)
    assert (none.status, "Choose at least one token" in none.text) == (400, True)


def test_more_tokens_than_a_page_shows_are_revoked_at_once(town: PlatformFixture, browser: Browser) -> None:
    """All that fetched it, and no other; each page has at most 60 kB."""
    acme = town.platform.organization("acme")
    ids = [acme.tokens.create(f"pipeline {number}", ["proxy"], actor=ACTOR)[1].id for number in range(510)]
    for one in ids[1:]:
        acme.ledger.record("axios", "1.0.0", one, "192.0.2.1")
    acme.ledger.flush()
    page = find(browser, "axios")
    assert "of 509 tokens are shown" in page.text
    assert "Revoke all 509 tokens…" in page.text
    question = browser.submit(page, "/incident", formaction="/revoke", which="all")
    assert "509 tokens will open nothing from now on." in question.text
    assert "of them are named here." in question.text
    assert "The tokens are revoked." in browser.submit(question, "/revoke", confirm="yes").text
    assert [one.id for one in acme.tokens.list()] == ids[:1]
    assert max(len(one.body) for one in (page, question)) <= 60_000
    nothing = browser.submit(find(browser, "axios"), "/incident", formaction="/revoke", which="all")
    assert (nothing.status, "Choose at least one token" in nothing.text) == (400, True)
    unreadable = browser.submit(page, "/incident", formaction="/revoke", which="all", what="@@")
    assert unreadable.status == 400


def test_tokens_that_were_not_revoked_are_named(
    town: PlatformFixture, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When there is no time for all, the page says which go on; its button revokes them."""
    fetch(town)
    tokens = town.platform.organization("acme").tokens
    question = browser.submit(find(browser, "axios"), "/incident", formaction="/revoke", chosen=tokens.list()[0].id)
    with monkeypatch.context() as slow:
        slow.setattr(revocation, "SECONDS", -1.0)
        left = browser.submit(question, "/revoke", confirm="yes")
        all_of_them = browser.submit(browser.get(f"{ACME}/tokens/revoke-all"), confirm="acme")
    for page in (left, all_of_them):
        assert (page.status, "0 tokens are revoked. 1 token is not." in page.text) == (503, True)
        assert tokens.list()[0].id in page.text
    assert "The tokens are revoked." in browser.submit(left, "/revoke", confirm="yes").text
    assert tokens.list() == []


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_installs_are_exported(town: PlatformFixture, browser: Browser, kind: str) -> None:
    """Each with its token's id and name."""
    token = fetch(town)
    page = find(browser, "axios")
    file = browser.send(page, "/incident", formaction="/export", format=kind)
    assert f"acme-installs.{'csv' if kind == 'csv' else 'jsonl'}" in file.headers["content-disposition"]
    text = file.body.decode()
    assert text.count("axios") == 1
    assert token in text
    assert "bob" in text


def test_readers_see_installs_and_change_nothing(town: PlatformFixture) -> None:
    """They learn whom to ask."""
    token = fetch(town)
    eve = signed_in(town, "eve")
    page = find(eve, "axios")
    assert token in page.text
    assert "An administrator of the organization can revoke them." in page.text
    assert "Block now" not in page.text
    for action in ("block", "revoke"):
        assert eve.submit(page, "/incident", formaction=f"/{action}", reason="x", chosen=token).status == 403


@pytest.mark.parametrize(
    ("org", "query"),
    [
        ("beta", {"package": "axios"}),
        ("acme", {"package": "axios", "version": ">1.0.0"}),
        ("acme", {"package": "@types/axios"}),
        ("acme", {"package": "axios", "to": timestamp(NOW - timedelta(days=2))}),
        ("acme", {"package": "axios", "from_": "2020-01-01", "to": "2020-02-01 10:00:00Z"}),
    ],
    ids=["organization", "versions", "package", "before", "long ago"],
)
def test_other_questions_find_nothing(town: PlatformFixture, browser: Browser, org: str, query: dict[str, str]) -> None:
    """And the page says so."""
    fetch(town)
    page = ask(browser, "incident", org, **query)
    assert page.status == 200
    assert "Nobody fetched" in page.text


def test_rows_are_bounded(town: PlatformFixture, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that has not all of them says so, and one that has does not."""
    fetch(town)
    fetch(town)
    assert "there are more" not in ask(browser, "incident", package="axios").text
    monkeypatch.setattr(incident, "ROOM", 400)
    assert "1 of 2 entries are shown." in ask(browser, "incident", package="axios").text
    monkeypatch.setattr(incident, "MAX_FOUND", 1)
    page = ask(browser, "incident", package="axios")
    assert "These are the first 1 entries, and there are more." in page.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from_": "2026-01-01"}, "what"),
        ({"package": "node_modules"}, "what"),
        ({"package": "axios", "version": "one"}, "what"),
        ({"package": "axios", "from_": "yesterday"}, "from"),
        ({"package": "axios", "from_": "2020-01-01"}, "from"),
        ({"package": "axios", "from_": "2026-02-01", "to": "2026-01-01"}, "from"),
        ({"package": "axios", "to": "2026-01-01T00:00:00"}, "to"),
    ],
)
def test_question_that_is_none_is_refused_at_its_field(browser: Browser, query: dict[str, str], field: str) -> None:
    """What was typed stays in the form."""
    page = ask(browser, "incident", **query)
    assert page.status == 400
    assert [one["name"] for _, one in page.tags if "aria-invalid" in one] == [field]
    assert f"{field}-problem" in [attributes.get("id") for _, attributes in page.tags]


def test_preview_says_what_other_rules_would_have_done(town: PlatformFixture, browser: Browser) -> None:
    """To what was fetched lately: each version with its verdict now and then, how often it was fetched, and why."""
    fetch(town)
    form = browser.get(f"{ACME}/rules")
    page = browser.submit(form, "/preview", **{"rules.version_age.hours": "20000", "rules.install_scripts.mode": "off"})
    assert "1 package that clients fetched in the last 30 days was looked at. 1 version would be held." in page.text
    assert "axios 1.0.0 allowed held 1 version_age:" in page.text
    looser = browser.submit(form, "/preview", **{"rules.version_age.mode": "warn"})
    assert "axios 1.1.0 held warned – version_age:" in looser.text
    same = browser.submit(form, "/preview", **{"rules.score.threshold": "0.1"})
    assert "No version would be treated otherwise." in same.text


def test_preview_has_an_end(town: PlatformFixture, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not looked at in time is counted."""
    fetch(town)
    monkeypatch.setattr(rules, "SECONDS", -1.0)
    page = browser.submit(browser.get(f"{ACME}/rules"), "/preview", **{"rules.version_age.mode": "warn"})
    assert "0 of 1 package that clients fetched" in page.text


def test_hostile_decisions_and_installs_do_nothing(town: PlatformFixture, browser: Browser) -> None:
    """In a package, a version, a rule, a reason, a time, an address."""
    ledger = town.platform.organization("acme").ledger
    for payload in PAYLOADS:
        decide(town, package=payload, versions=[payload, payload], rule=payload, reason=payload, until=payload)
        ledger.record("axios", payload, payload, payload)
    ledger.flush()
    first = ask(browser, "firewall")
    check(first)
    (older,) = [attributes["href"] for _, attributes in first.tags if attributes.get("rel") == "next"]
    check(browser.get(older))
    page = ask(browser, "incident", package="axios")
    assert f"with {len(PAYLOADS)} tokens" in page.text
    check(page)
    for payload in PAYLOADS:
        check(find(browser, f"axios # {payload}", from_=payload))
        check(find(browser, payload))
        check(browser.submit(find(browser, f"chalk # {payload}"), "/incident", formaction="/block", reason=payload))
    check(browser.get(f"{ACME}/rules"))


def test_odd_decisions_have_a_page(town: PlatformFixture, browser: Browser) -> None:
    """Whatever an event of another version of this program has."""
    for odd in (None, 7, [], {}, [None, {}]):
        decide(town, package=odd, versions=odd, rule=odd, reason=odd, until=odd, count=odd)
    assert ask(browser, "firewall").status == 200


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_urls_do_nothing(browser: Browser, payload: str) -> None:
    """What a URL says comes back as text, or not at all."""
    quoted = quote(payload)
    for query in (
        f"firewall?kind={quoted}",
        f"firewall?package={quoted}&after={quoted}",
        f"explain?package={quoted}&version={quoted}",
        f"explain?package=axios&version={quoted}",
        f"incident?package={quoted}",
        f"incident?package=axios&version={quoted}&from={quoted}&to={quoted}",
    ):
        check(browser.get(f"{ACME}/{query}"))
