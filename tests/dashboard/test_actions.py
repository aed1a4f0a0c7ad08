"""What pages change, and that the library's own functions do it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from support.browser import HOME, Browser, signed_in
from support.filled import fill
from support.hosting import PASSWORD, PlatformFixture
from support.publications import publish
from support.registry import ACTOR

from nproxy_mw.access import Actor
from nproxy_mw.audit import pages
from nproxy_mw.errors import NotFound
from nproxy_mw.npm.names import parse_name
from nproxy_mw.times import utc_now

ACME = f"{HOME}/orgs/acme"
UTILS = f"{ACME}/packages/@acme/utils"
NAME = parse_name("@acme/utils")


@pytest.fixture
def filled(tenants: PlatformFixture) -> PlatformFixture:
    """A platform with something on every page."""
    return fill(tenants)


@pytest.fixture
def browser(filled: PlatformFixture) -> Browser:
    """A platform administrator's."""
    return signed_in(filled)


def packument(filled: PlatformFixture) -> dict[str, object]:
    """The package as it is stored now."""
    return dict(filled.platform.organization("acme").packages.read(NAME, for_write=True)[0])


def test_a_tag_is_set_and_removed(filled: PlatformFixture, browser: Browser) -> None:
    """The page then shows where it was before."""
    page = browser.submit(browser.get(UTILS), "-/tag", tag="next", version="1.0.0")
    assert "The tag is set." in page.text
    assert "next 1.0.0 1.1.0" in page.text
    assert packument(filled)["dist-tags"] == {"latest": "1.1.0", "next": "1.0.0"}
    browser.submit(browser.get(UTILS), "-/untag", tag="next")
    assert packument(filled)["dist-tags"] == {"latest": "1.1.0"}


@pytest.mark.parametrize(("tag", "version"), [("1.x", "1.0.0"), ("next", "9.9.9"), ("", "1.0.0")])
def test_a_tag_that_cannot_be_is_refused(filled: PlatformFixture, browser: Browser, tag: str, version: str) -> None:
    """The sentence stands on the page, and nothing was changed."""
    before = packument(filled)["dist-tags"]
    page = browser.submit(browser.get(UTILS), "-/tag", tag=tag, version=version)
    assert page.status == 400
    assert packument(filled)["dist-tags"] == before


def test_a_version_is_deprecated_and_no_longer(filled: PlatformFixture, browser: Browser) -> None:
    """One version or all; an empty message takes it away."""
    browser.submit(browser.get(UTILS), "-/deprecate", version="1.1.0", message="use 2")
    versions = packument(filled)["versions"]
    assert versions["1.1.0"]["deprecated"] == "use 2"  # type: ignore[index]
    browser.submit(browser.get(UTILS), "-/deprecate", version="", message="")
    assert not any(manifest.get("deprecated") for manifest in packument(filled)["versions"].values())  # type: ignore[attr-defined]


def test_unpublishing_wants_the_name_in_writing(filled: PlatformFixture, browser: Browser) -> None:
    """Without it nothing happens; with it the package is gone."""
    question = browser.get(f"{UTILS}/-/unpublish")
    assert browser.submit(question, "unpublish", confirm="@acme/util").status == 400
    assert packument(filled)
    assert "The package is unpublished." in browser.submit(question, "unpublish", confirm="@acme/utils").text
    with pytest.raises(NotFound):
        packument(filled)
    assert "@acme/utils" not in browser.get(f"{ACME}/packages").text


def test_one_version_is_unpublished_where_the_settings_allow_it(filled: PlatformFixture, browser: Browser) -> None:
    """Otherwise the page says which setting it is."""
    question = browser.get(f"{UTILS}/-/unpublish?version=1.0.0")
    refused = browser.submit(question, "unpublish", confirm="@acme/utils@1.0.0")
    assert (refused.status, "allow it in the settings first" in refused.text) == (400, True)
    filled.platform.organization("acme").settings.change({"versionUnpublish": True}, actor=ACTOR)
    browser.submit(question, "unpublish", confirm="@acme/utils@1.0.0")
    assert list(packument(filled)["versions"]) == ["1.1.0"]  # type: ignore[call-overload]


def test_what_changed_is_shown(browser: Browser) -> None:
    """Dependencies, scripts, files and the text of files, against the version before."""
    page = browser.get(f"{UTILS}/-/changes/1.1.0")
    assert "dependencies @acme/log – ^1.0.0" in page.text
    assert "-export const version = '1.0.0';" in page.text
    assert "+export const version = '1.1.0';" in page.text
    assert browser.get(f"{UTILS}/-/changes/1.0.0").status == 404


def test_a_version_is_verified(browser: Browser) -> None:
    """Both signatures and the bytes; the files have their sizes."""
    page = browser.get(f"{UTILS}/1.1.0")
    assert "verified Both signatures fit" in page.text
    assert "index.js 32 B" in page.text
    assert "postinstall runs on install" in page.text


def test_a_large_tarball_is_opened_when_asked_for(filled: PlatformFixture, browser: Browser) -> None:
    """A page takes no long time unasked."""
    for version in ("1.0.0", "1.0.1"):
        files = {"data.txt": f"{version}\n" + "".join(f"{number}\n" for number in range(800_000))}
        publish(filled.platform.organization("acme"), "@acme/large", version, files=files)
    for path in ("packages/@acme/large/1.0.1", "packages/@acme/large/-/changes/1.0.1"):
        page = browser.get(f"{ACME}/{path}")
        assert "The tarball is large" in page.text
        assert "data.txt" not in page.text
        link = next(link for link in page.links if link.startswith("?open"))
        assert "data.txt" in browser.get(f"{ACME}/{path}{link}").text


def test_a_token_is_shown_once_and_revoked(filled: PlatformFixture, browser: Browser) -> None:
    """Only the page that creates it has the plaintext; the list never."""
    made = browser.submit(browser.get(f"{ACME}/tokens"), "/tokens", name="new", scopes=["proxy"])
    secret = next(word for word in made.text.split() if word.startswith("nproxy_") and len(word) > 20)
    tokens = filled.platform.organization("acme").tokens
    found = tokens.find(secret)
    assert found is not None
    assert secret not in browser.get(f"{ACME}/tokens").text
    question = browser.get(f"{ACME}/tokens/{found.token_id}/revoke")
    assert "The token is revoked." in browser.submit(question).text
    assert tokens.find(secret) is None
    assert browser.get(f"{ACME}/tokens/{found.token_id}/revoke").status == 404


def test_a_token_is_restricted(filled: PlatformFixture, browser: Browser) -> None:
    """One pattern or range a line; the page of the list then shows them."""
    fields = {"name": "narrow", "scopes": ["proxy"], "packages": "@acme/web-*\r\n@tools\r\n", "addresses": "10.0.0.0/8"}
    made = browser.submit(browser.get(f"{ACME}/tokens"), "/tokens", **fields)
    assert "only @acme/web-*, @tools" in made.text
    assert "from 10.0.0.0/8" in made.text
    (token,) = (one for one in filled.platform.organization("acme").tokens.list() if one.name == "narrow")
    assert str(token.restrictions) == "@acme/web-*,@tools,10.0.0.0/8"
    assert "only @acme/web-*, @tools" in browser.get(f"{ACME}/tokens").text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"packages": "lodash"}, "A pattern of packages is @scope, @scope/name or @scope/prefix-*, in lower case."),
        ({"addresses": "10.0.0.1/8"}, "The range around this one is 10.0.0.0/8."),
    ],
)
def test_other_restrictions_are_refused(
    filled: PlatformFixture, browser: Browser, fields: dict[str, str], sentence: str
) -> None:
    """The form keeps what was typed, and stays open where the mistake is."""
    before = len(filled.platform.organization("acme").tokens.list())
    page = browser.submit(browser.get(f"{ACME}/tokens"), "/tokens", name="x", scopes=["proxy"], **fields)
    assert page.status == 400
    assert sentence in page.text
    ((name, typed),) = fields.items()
    assert (name, typed) in page.form("/tokens").fields
    assert ("details", {"class": "field", "open": ""}) in page.tags
    assert len(filled.platform.organization("acme").tokens.list()) == before


def test_all_tokens_are_revoked_at_once(filled: PlatformFixture, browser: Browser) -> None:
    """When the organization's id was written."""
    question = browser.get(f"{ACME}/tokens/revoke-all")
    assert browser.submit(question, confirm="acm").status == 400
    browser.submit(question, confirm="acme")
    assert filled.platform.organization("acme").tokens.list() == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " ", "scopes": "proxy"}, "name has 1 to 100"),
        ({"name": "x", "scopes": []}, "scopes are"),
        ({"name": "x", "scopes": "admin"}, "scopes are"),
        ({"name": "x", "scopes": "proxy", "lifetime": "9999999"}, "Choose how long"),
    ],
)
def test_a_token_that_cannot_be_is_refused(browser: Browser, fields: dict[str, str], sentence: str) -> None:
    """The sentence stands at the form."""
    page = browser.submit(browser.get(f"{ACME}/tokens"), "/tokens", **fields)
    assert (page.status, sentence in page.text) == (400, True)


def test_rules_are_set_after_a_preview(filled: PlatformFixture, browser: Browser) -> None:
    """Modes and parameters, all from the catalog; what is wrong stands at its field. The preview saves nothing."""
    page = browser.get(f"{ACME}/rules")
    fields = {"rules.malware.mode": "warn", "rules.first_seen.days": "3", "rules.version_age.hours": "12"}
    preview = browser.submit(page, "/preview", **fields)
    assert "malware mode block warn" in preview.text
    store = filled.platform.organization("acme").settings
    assert store.get().rules["malware"]["mode"] == "block"
    back = browser.submit(preview, "/rules", answer="edit")
    assert dict(back.form("/preview").fields)["rules.first_seen.days"] == "3"
    browser.submit(browser.submit(back, "/preview"), "/rules", answer="save")
    rules = store.get().rules
    assert (rules["malware"]["mode"], rules["first_seen"]["days"], rules["version_age"]["hours"]) == ("warn", 3, 12)
    assert rules["version_age"]["fixes"] is True
    for action in ("/preview", "/rules"):
        wrong = browser.submit(page if action == "/preview" else preview, action, revision="another")
        assert wrong.status == 409
    wrong = browser.submit(browser.get(f"{ACME}/rules"), "/preview", **{"rules.score.threshold": "two"})
    assert (wrong.status, "number from 0 to 1" in wrong.text) == (400, True)
    assert "Nothing was changed." in browser.submit(browser.get(f"{ACME}/rules"), "/preview").text


def test_exceptions_are_added_and_removed(filled: PlatformFixture, browser: Browser) -> None:
    """With its author, its reason and an end."""
    page = browser.get(f"{ACME}/exceptions")
    browser.submit(page, "/exceptions", package="is-odd", versions="^1.0.0 2.0.0", rules=["malware"], reason="why not")
    settings = filled.platform.organization("acme").settings
    found = next(one for one in settings.get().exceptions if one.package == "is-odd")
    assert (found.versions, found.rules, found.author) == (("^1.0.0", "2.0.0"), ("malware",), "ann")
    number = len(list(settings.get().exceptions))
    key = next(
        dict(form.fields)["key"]
        for form in browser.get(f"{ACME}/exceptions")._reader.forms
        if "is-odd" in dict(form.fields).get("key", "")
    )
    browser.submit(browser.get(f"{ACME}/exceptions"), "exceptions/remove", key=key)
    assert len(list(settings.get().exceptions)) == number - 1
    page = browser.get(f"{ACME}/exceptions")
    assert browser.submit(page, "/exceptions", package="Not A Name", reason="x").status == 400


@pytest.mark.parametrize(("answer", "state"), [("approve", "approved"), ("deny", "denied")])
def test_a_request_is_answered(filled: PlatformFixture, browser: Browser, answer: str, state: str) -> None:
    """An approval adds the exception; both keep the comment for the one who asked."""
    requests = filled.platform.organization("acme").exception_requests
    waiting = next(one for one in requests.list() if one.answer is None)
    page = browser.get(f"{ACME}/exceptions")
    browser.submit(page, f"requests/{waiting.id}", answer=answer, comment="as agreed")
    found = next(one for one in requests.list() if one.id == waiting.id)
    assert found.state.value == state
    assert found.answer is not None
    assert (found.answer.by, found.answer.comment) == ("ann", "as agreed")


def test_the_trail_is_verified_and_a_break_is_shown(filled: PlatformFixture, browser: Browser) -> None:
    """A sound trail gets a checkpoint; one in which something was edited is shown with what is wrong."""
    page = browser.submit(browser.get(f"{ACME}/audit"), "audit/verify")
    assert "as it was written" in page.text
    assert "checkpoint is number 1" in page.text
    storage = filled.platform.organization("acme").storage
    stored = storage.read("audit/administration.json")
    storage.replace(
        "audit/administration.json",
        stored.data.replace(b'"ann', b'"eve', 1).replace(b"staging", b"stagimg"),
        stored.revision,
    )
    page = browser.submit(browser.get(f"{ACME}/audit"), "audit/verify")
    assert "not as it was written" in page.text
    assert "administration" in page.text


def test_the_trail_is_filtered_and_paged(browser: Browser) -> None:
    """By event and package, and back in time."""
    page = browser.get(f"{ACME}/audit?event=package.published&package=@acme/log")
    assert page.text.count("@acme/log@1.0.0") == 1
    assert browser.get(f"{ACME}/audit?event=<script>").status == 400
    assert browser.get(f"{ACME}/audit?after=nothing").status == 400
    assert browser.get(f"{ACME}/audit?after=99991231T000000.000Z-{'0' * 32}").status == 400


def test_the_trail_is_of_an_actor_and_a_time(filled: PlatformFixture, browser: Browser) -> None:
    """The links to older events and to files have the same filters, and the form shows what was typed."""
    filled.platform.organization("acme").tokens.create("robot's", ["proxy"], actor=Actor(name="robot & co"))
    page = browser.get(f"{ACME}/audit?by=robot+%26+co&from=1d&to=&event=&package=")
    assert page.text.count("token.created") == 2  # the row, and the choice
    assert "robot's" in page.text
    fields = {one["name"]: one.get("value") for tag, one in page.tags if tag == "input" and "name" in one}
    assert (fields["by"], fields["from"], fields["to"]) == ("robot & co", "1d", "")
    (link,) = (link for link in page.links if "format=json" in link)
    assert link.endswith("?format=json&by=robot+%26+co&from=1d")
    assert browser.get(link).body.count(b"robot's") == 1
    tomorrow = (utc_now() + timedelta(days=1)).strftime("%Y-%m-%d")
    assert "There are no such events." in browser.get(f"{ACME}/audit?from={tomorrow}").text
    assert "There are no such events." in browser.get(f"{ACME}/audit?to=2026-01-01+00:00:00Z").text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        pytest.param("from=yesterday", "'yesterday' is not a time such as", id="no time"),
        pytest.param("to=2026-02-30", "'2026-02-30' is not a time such as", id="no day"),
        pytest.param("from=0001-01-01", "'0001-01-01' is not a time such as", id="the edge of the calendar"),
        pytest.param("from=2026-02-02&to=2026-02-01", "The time ends before it begins", id="backwards"),
        pytest.param("event=<script>", "That is not a kind of event", id="no kind"),
        pytest.param("after=nothing", "That page does not exist", id="no page"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(browser: Browser, query: str, sentence: str) -> None:
    """400; the page keeps the form, and the file is none."""
    page = browser.get(f"{ACME}/audit?{query}")
    assert (page.status, sentence in page.text) == (400, True)
    assert "There are no such events" not in page.text
    assert any(one.get("name") == "by" for _, one in page.tags)
    if not query.startswith("after"):
        assert browser.get(f"{ACME}/audit/export?{query}").status == 400


def test_a_page_that_ends_early_has_a_way_on(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks at a bounded part of the trail: when nothing was found there, it says so and goes on."""
    monkeypatch.setattr(pages, "MAX_PASSED", 2)
    page = browser.get(f"{ACME}/audit?by=nobody")
    assert "There is none among the events that were looked at so far" in page.text
    assert any("after=" in link for link in page.links)


def test_the_trail_is_exported(filled: PlatformFixture, browser: Browser) -> None:
    """As CSV, in which nothing is a formula, and as JSON lines."""
    filled.platform.organization("acme").tokens.create("=1+1", ["proxy"], actor=ACTOR)
    answer = browser.get(f"{ACME}/audit/export?format=csv&event=token.created")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert len(rows) == 4
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert answer.headers["content-disposition"] == 'attachment; filename="acme-audit-trail.csv"'
    lines = browser.get(f"{ACME}/audit/export?format=json&package=@acme/log").body.splitlines()
    assert len(lines) == 3


def test_keys_are_rotated_and_downloaded(filled: PlatformFixture, browser: Browser) -> None:
    """The old ones get an end; what they signed still verifies."""
    page = browser.get(f"{ACME}/keys")
    assert browser.submit(page, "/keys", confirm="x").status == 400
    assert "There are new keys." in browser.submit(page, "/keys", confirm="acme").text
    assert len(filled.platform.organization("acme").keys.public_keys()) == 4
    assert b'"keys"' in browser.get(f"{ACME}/keys/download").body
    assert "verified Both signatures fit" in browser.get(f"{UTILS}/1.1.0").text


def test_accounts_are_created_changed_and_removed(filled: PlatformFixture, browser: Browser) -> None:
    """By platform administrators; nobody changes their own role."""
    page = browser.get(f"{HOME}/people")
    browser.submit(page, "/people", name="zoe", password="a long password", role="reader", organizations="acme")
    zoe = filled.administrators.find("zoe")
    assert zoe is not None
    assert (zoe.role.value, zoe.organizations) == ("reader", frozenset({"acme"}))
    browser.submit(browser.get(f"{HOME}/people/zoe"), "/people/zoe", role="administrator", organizations="")
    zoe = filled.administrators.find("zoe")
    assert zoe is not None
    assert zoe.is_platform_administrator
    assert browser.submit(browser.get(f"{HOME}/people/zoe"), "/remove", confirm="zo").status == 400
    browser.submit(browser.get(f"{HOME}/people/zoe"), "/remove", confirm="zoe")
    assert filled.administrators.find("zoe") is None
    own = browser.get(f"{HOME}/people/ann")
    assert browser.submit(own, "/people/ann", role="reader").status == 400
    assert browser.submit(page, "/people", name="x", password="short").status == 400
    assert browser.submit(page, "/people", name="x", password="long enough", organizations="gamma").status == 400


def test_a_password_is_changed_and_all_sessions_end(filled: PlatformFixture, browser: Browser) -> None:
    """The old password must be given; the new one signs in."""
    other = Browser(filled.app, cookies=dict(browser.cookies))
    page = browser.get(f"{HOME}/account")
    assert browser.submit(page, "/account", old="wrong one", password="another password").status == 403
    left = browser.submit(page, "/account", old=PASSWORD, password="another password")
    assert "The password is changed." in left.text
    assert other.get(f"{HOME}/orgs").status == 303
    assert browser.submit(left, "sign-in", name="ann", password="another password").status == 200


def test_signing_out_everywhere_ends_all_sessions(filled: PlatformFixture, browser: Browser) -> None:
    """Those of other browsers and of the management API too."""
    other = signed_in(filled)
    bearer = filled.manager()
    browser.submit(browser.get(f"{HOME}/account"), "account/sign-out")
    assert other.get(f"{HOME}/orgs").status == 303
    assert bearer.get("/api/v1/orgs").status == 401
    assert signed_in(filled).get(f"{HOME}/orgs").status == 200


def test_the_sessions_of_another_account_are_ended(filled: PlatformFixture, browser: Browser) -> None:
    """Their browser must sign in again; their account stays."""
    eve = signed_in(filled, "eve")
    browser.submit(browser.get(f"{HOME}/people/eve"), "eve/sign-out")
    assert eve.get(f"{HOME}/orgs").status == 303
    assert filled.administrators.find("eve") is not None


def test_packages_are_searched_sorted_and_paged(filled: PlatformFixture, browser: Browser) -> None:
    """By name or last change, fifty on a page, each package once."""
    for number in range(60):
        publish(filled.platform.organization("acme"), f"@acme/many-{number:02}", "1.0.0")
    page = browser.get(f"{ACME}/packages?sort=updated")
    assert "62 packages" in page.text
    seen = [link for link in page.links if "/packages/@acme/" in link]
    assert seen[0].endswith("many-59")
    onwards = next(attributes["href"] for tag, attributes in page.tags if attributes.get("rel") == "next")
    seen += [link for link in browser.get(f"{ACME}/packages{onwards}").links if "/packages/@acme/" in link]
    assert len(seen) == len(set(seen)) == 62
    assert " 1 package" in browser.get(f"{ACME}/packages?q=MANY-07").text
    assert browser.get(f"{ACME}/packages?after=..&at=x").status == 400


def test_an_organization_is_created(tenants: PlatformFixture, ann: Browser) -> None:
    """And its settings are the next page."""
    page = ann.submit(ann.get(f"{HOME}/orgs"), "/orgs", id="gamma", name="Gamma Ltd")
    assert page.path == f"{HOME}/orgs/gamma/settings"
    assert ann.submit(ann.get(f"{HOME}/orgs"), "/orgs", id="gamma").status == 400


def test_a_damaged_token_does_not_hide_the_others(filled: PlatformFixture, browser: Browser) -> None:
    """The list names it beside the others, which can be revoked; the overview and the question before all are there."""
    tokens = filled.platform.organization("acme").tokens
    damaged, other = tokens.list()[:2]
    key = f"orgs/acme/tokens/{damaged.hash}.json"
    filled.storage.replace(key, b"{", filled.storage.read(key).revision)
    page = browser.get(f"{ACME}/tokens")
    assert page.status == 200
    assert f"The record of 1 token is damaged: {damaged.id}" in " ".join(page.text.split())
    assert other.name in page.text
    assert f"{ACME}/tokens/{damaged.id}/revoke" not in page.links
    assert browser.get(f"{ACME}/overview").status == 200
    assert "1 more token is damaged" in browser.get(f"{ACME}/tokens/revoke-all").text
    assert browser.get(f"{ACME}/tokens/{damaged.id}/revoke").status == 404
    browser.submit(browser.get(f"{ACME}/tokens/{other.id}/revoke"))
    assert other.id not in [one.id for one in tokens.list()]
    page = browser.submit(browser.get(f"{ACME}/tokens/revoke-all"), confirm="acme")
    assert page.status == 503
    assert f"{damaged.id} An object in the storage is damaged" in page.text
