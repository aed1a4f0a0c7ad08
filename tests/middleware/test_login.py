"""Login: npm login by the web and by password."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode, urlsplit

import pytest
from support.client import Client, run
from support.hosting import PASSWORD, PlatformFixture
from support.registry import ACTOR

from nproxy_mw.access import Actor, Grant
from nproxy_mw.accounts import pending_logins
from nproxy_mw.accounts.pending_logins import PendingLogin, PendingLogins
from nproxy_mw.errors import NotFound
from nproxy_mw.middleware.login import page
from nproxy_mw.middleware.tenants import ByHost
from nproxy_mw.storage import layout
from nproxy_mw.testing.faults import Faulty
from nproxy_mw.token_format import is_wellformed

LOGIN = "/acme/-/v1/login"
HOST = "registry.example"


@pytest.fixture
def tenants():
    """A platform with an administrator."""
    made = PlatformFixture()
    assert made.administrator == "ann"
    return made


class Browser:
    """A browser that keeps cookies, and sends the headers of one."""

    def __init__(self, tenants, **headers):
        self.tenants, self.cookies, self.headers = tenants, {}, headers

    def ask(self, method, url, form=None):
        parts = urlsplit(url)
        data = urlencode(form or {}, doseq=True).encode()
        headers = {"ACCEPT": "text/html", "USER_AGENT": "Browser/1", **self.headers}
        environ = {"HTTP_HOST": parts.netloc, "CONTENT_TYPE": "application/x-www-form-urlencoded"}
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = run(self.tenants.app, _environ(method, parts, data, headers, environ))
        cookie = answer.headers.get("set-cookie", "")
        if cookie:
            name, value = cookie.partition(";")[0].split("=", 1)
            self.cookies[name] = value
        return answer

    def fields(self, url):
        """The form as it is shown, filled in."""
        text = self.ask("GET", url).body.decode()
        form = re.search(r'name="form" value="([^"]*)"', text)[1]
        return {"form": unescape(form), "name": "ann", "password": PASSWORD, "scope": ["proxy"]}


def _environ(method, parts, data, headers, more):
    """What the client of all tests would ask; its own look at the answer is for JSON alone."""
    taken = {}

    def keep(environ, start_response):
        taken.update(environ)
        start_response("204 No Content", [])
        return []

    Client(keep, headers=headers, environ=more).ask(method, parts.path, body=data, query=parts.query)
    return taken


def begin(tenants, **environ):
    """What npm is told, and how it polls: without any header of its own."""
    urls = tenants.stranger(**environ).post(LOGIN, {}).json
    done = urlsplit(urls["doneUrl"])
    return urls["loginUrl"], lambda: tenants.stranger(HTTP_HOST=done.netloc).get(done.path)


def test_web_login_gives_a_token_of_the_chosen_scopes(tenants):
    """npm waits, an administrator grants, npm gets its token."""
    url, poll = begin(tenants)
    waits = poll()
    assert (waits.status, waits.headers["retry-after"], waits.headers["cache-control"]) == (202, "2", "no-store")
    browser = Browser(tenants, SEC_FETCH_SITE="same-origin", ORIGIN=f"http://{HOST}")
    answer = browser.ask("POST", url, {**browser.fields(url), "scope": ["publish"]})
    assert answer.status == 200
    assert "Logged in" in answer.body.decode()
    token = poll().json["token"]
    assert is_wellformed(token)
    principal = tenants.platform.organization("acme").tokens.find(token)
    assert (principal.name, principal.grants) == ("ann", {Grant.PUBLISH})
    assert Client(tenants.app, token).get("/acme/-/whoami").json == {"username": "ann"}
    assert Client(tenants.app, token).get("/beta/-/whoami").status == 401


def test_token_is_collected_once(tenants):
    """What was collected is over, for npm and for the browser."""
    url, poll = begin(tenants)
    browser = Browser(tenants)
    form = browser.fields(url)
    browser.ask("POST", url, form)
    assert poll().status == 200
    assert poll().code == "login-over"
    assert browser.ask("POST", url, form).status == 404
    assert browser.ask("GET", url).status == 404


def test_any_process_goes_on_with_a_login(tenants):
    """Begun, granted and collected by three processes."""
    second, third = (
        PlatformFixture(tenants.storage, orgs=()),
        PlatformFixture(tenants.storage, orgs=()),
    )
    url, _ = begin(tenants)
    name = url.rpartition("/")[2]
    logins = PendingLogins(second.platform.organization("acme").storage)
    logins.grant(name, "ann", [Grant.PROXY])
    assert Browser(third).ask("GET", url).status == 404


def test_urls_follow_the_public_url():
    """Behind a proxy, the browser and npm are sent to where the organization is reached."""
    tenants = PlatformFixture(public_url="https://npm.example/x")
    assert tenants.administrator
    urls = tenants.stranger().post(LOGIN, {}).json
    assert urls["loginUrl"].startswith("https://npm.example/x/acme/-/v1/login/page/")
    assert urls["doneUrl"].startswith("https://npm.example/x/acme/-/v1/login/done/")
    path = "/acme/-/v1/login/page/" + urls["loginUrl"].rpartition("/")[2]
    cookie = Browser(tenants).ask("GET", f"http://{HOST}{path}").headers["set-cookie"]
    assert "Path=/x/acme/-/v1/login;" in cookie
    assert "Secure" in cookie


def test_by_host_the_page_is_at_the_organizations_host():
    """Each organization's login is at its own host."""
    tenants = PlatformFixture(resolve=ByHost(HOST))
    assert tenants.administrator
    urls = tenants.stranger(HTTP_HOST=f"acme.{HOST}").post("/-/v1/login", {}).json
    assert urls["loginUrl"].startswith(f"http://acme.{HOST}/-/v1/login/page/")


def test_body_of_the_beginning_does_not_matter(tenants):
    """npm sends {}, npm adduser a flag, berry nothing; an old token is never looked at."""
    for body in (b"", b"{}", b'{"create":true}', b"rubbish"):
        for token in ("", "nproxy_wrong", tenants.token("beta"), "npm_x"):
            assert Client(tenants.app, token).ask("POST", LOGIN, body=body).status == 200


def test_page_is_guarded(tenants):
    """No scripts, no frames, nothing from elsewhere, nothing kept; the cookie is for this form alone."""
    url, _ = begin(tenants)
    answer = Browser(tenants).ask("GET", url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "base-uri 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/acme/-/v1/login" in cookie
    assert "<script" not in answer.body.decode()


def test_everything_on_the_page_is_escaped(tenants):
    """What a client calls itself, and what was typed, stays text."""
    evil = "<script>alert(1)</script>\"'&"
    name = tenants.stranger().post(LOGIN, {}, USER_AGENT=evil).json["loginUrl"]
    browser = Browser(tenants)
    text = browser.ask("GET", name).body.decode()
    typed = browser.ask("POST", name, {**browser.fields(name), "name": evil, "password": "x" * 12}).body.decode()
    for body in (text, typed):
        assert "<script>" not in body
        assert "&lt;script&gt;" in body
    shown = page.form_page(PendingLogin(evil, evil, evil), evil, evil, alert=evil, name=evil).decode()
    assert "<script>" not in shown


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        pytest.param({"form": "forged"}, {}, 403, id="another form value"),
        pytest.param({"form": ""}, {}, 403, id="no form value"),
        pytest.param({}, {"SEC_FETCH_SITE": "cross-site"}, 403, id="from another site"),
        pytest.param({}, {"SEC_FETCH_SITE": "same-site"}, 403, id="from a sibling host"),
        pytest.param({}, {"ORIGIN": "http://evil.example"}, 403, id="from another origin"),
        pytest.param({"password": "wrong password"}, {}, 403, id="a wrong password"),
        pytest.param({"name": "eve"}, {}, 403, id="a wrong name"),
        pytest.param({"name": "../ann"}, {}, 403, id="an impossible name"),
        pytest.param({"scope": []}, {}, 400, id="no scope"),
        pytest.param({"scope": ["admin"]}, {}, 400, id="an unknown scope"),
    ],
)
def test_form_that_will_not_do_grants_nothing(tenants, change, headers, status):
    """npm goes on waiting."""
    url, poll = begin(tenants)
    browser = Browser(tenants)
    form = {**browser.fields(url), **change}
    browser.headers = headers
    assert browser.ask("POST", url, form).status == status
    assert poll().status == 202


def test_form_without_its_cookie_grants_nothing(tenants):
    """A page of another site can read neither."""
    url, poll = begin(tenants)
    form = Browser(tenants).fields(url)
    assert Browser(tenants).ask("POST", url, form).status == 403
    assert poll().status == 202


def test_guessing_on_the_page_is_slowed(tenants):
    """429 with Retry-After, and the form again."""
    url, _ = begin(tenants)
    browser = Browser(tenants)
    for _ in range(5):
        browser.ask("POST", url, {**browser.fields(url), "password": "wrong password"})
    answer = browser.ask("POST", url, browser.fields(url))
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.body.decode().count("<form") == 1


@pytest.mark.parametrize("body", [b"\xff", b"a", b"a=1&" * 20, b"x" * 20_000])
def test_strange_forms_are_refused(tenants, body):
    """What the form never sends is 400 or 413."""
    path = urlsplit(begin(tenants)[0]).path
    assert tenants.stranger().ask("POST", path, body=body).status in (400, 413)


@pytest.mark.parametrize(
    "cookies",
    [
        pytest.param("nproxy_login=\xff\xff", id="not UTF-8"),
        pytest.param("other=\xff; nproxy_login=x", id="behind another application's"),
        pytest.param("nproxy_login=\xc3\xa9", id="not ASCII"),
        pytest.param("nproxy_login=" + "x" * 20_000, id="too long"),
        pytest.param("nproxy_login=", id="empty"),
    ],
)
@pytest.mark.parametrize("form", [b"", b"x", b"\xff", "é".encode(), b"\xed\xa0\x80"])
def test_strange_cookies_grant_nothing(tenants, cookies, form):
    """Whatever a browser keeps for this host, the form is refused and shown again."""
    url, _ = begin(tenants)
    fields = {"form": form, "name": "ann", "password": "x", "scope": "proxy"}
    answer = Browser(tenants, COOKIE=cookies).ask("POST", url, fields)
    assert (answer.status, answer.body.decode().count("<form")) == (403, 1)


def test_empty_pair_grants_nothing(tenants):
    """A form without its hidden value, and a browser without the cookie, do not match: the password may be right."""
    url, poll = begin(tenants)
    for cookies in ({}, {"COOKIE": "nproxy_login="}):
        fields = {"form": "", "name": "ann", "password": PASSWORD, "scope": "proxy"}
        assert Browser(tenants, **cookies).ask("POST", url, fields).status == 403
    assert poll().status == 202


def test_address_of_the_page_does_not_collect_the_token(tenants):
    """What the browser's history shows is no proof towards the poll, nor the other way round."""
    urls = tenants.stranger().post(LOGIN, {}).json
    name, secret = (urls[key].rpartition("/")[2] for key in ("loginUrl", "doneUrl"))
    logins = PendingLogins(tenants.platform.organization("acme").storage)
    logins.grant(name, "ann", [Grant.PROXY])
    assert tenants.stranger().get(f"{LOGIN}/done/{name}").status == 404
    assert Browser(tenants).ask("GET", f"http://{HOST}{LOGIN}/page/{secret}").status == 404
    assert tenants.stranger().get(f"/beta/-/v1/login/done/{secret}").status == 404
    assert tenants.stranger().head(f"{LOGIN}/done/{secret}").status == 405
    assert tenants.stranger().get(f"{LOGIN}/done/{secret}").status == 200
    stored = b"".join(tenants.storage.read(key).data for key in tenants.storage.list())
    assert secret.encode() not in stored
    assert b"nproxy_" not in stored


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self):
        return self.now


def test_login_is_over_after_ten_minutes(tenants):
    """Then nothing can be granted or collected, and what was stored of it is removed by the next login."""
    clock = Clock()
    logins = PendingLogins(tenants.platform.organization("acme").storage, clock=clock)
    name, secret = logins.begin(ACTOR)
    clock.now += timedelta(minutes=9, seconds=59)
    assert logins.collect(secret) is None
    clock.now += timedelta(seconds=1)
    for ask in (lambda: logins.find(name), lambda: logins.collect(secret), lambda: logins.grant(name, "ann", [])):
        with pytest.raises(NotFound):
            ask()
    logins.begin(ACTOR)
    assert len(list(layout.LOGIN.keys(logins.storage))) == 1


def test_waiting_logins_are_bounded(tenants, monkeypatch):
    """One network cannot fill the storage, nor keep others from logging in."""
    monkeypatch.setattr(pending_logins, "MAX_OF_ADDRESS", 2)
    for _ in range(2):
        begin(tenants)
    refused = tenants.stranger().post(LOGIN, {})
    assert (refused.status, refused.headers["retry-after"]) == (429, "60")
    assert tenants.stranger(REMOTE_ADDR="192.0.2.8").post(LOGIN, {}).status == 429
    begin(tenants, REMOTE_ADDR="192.0.3.8")


@pytest.mark.parametrize(
    "accounts",
    [
        pytest.param([], id="no account"),
        pytest.param([{"role": "reader"}], id="a reader"),
        pytest.param([{"organizations": ["beta"]}], id="an administrator of another organization"),
    ],
)
def test_no_login_where_nobody_could_sign_in(accounts):
    """Neither is begun, so that npm waits for nobody, and nothing is stored; the sentence says what to do."""
    tenants = PlatformFixture()
    for number, account in enumerate(accounts):
        tenants.administrators.create(f"user{number}", PASSWORD, actor=ACTOR, **account)
    client = tenants.stranger()
    for answer in (
        client.post(LOGIN, {}),
        client.put("/acme/-/user/org.couchdb.user:user0", {"name": "user0", "password": PASSWORD}),
    ):
        assert (answer.status, answer.code) == (403, "no-administrator")
        assert "nproxy-mw admin create" in answer.headers["npm-notice"]
    assert list(layout.LOGIN.keys(tenants.platform.organization("acme").storage)) == []
    tenants.administrators.create("ann", PASSWORD, organizations=["acme"], actor=ACTOR)
    assert begin(tenants)


def test_networks_of_one_customer_count_as_one(tenants, monkeypatch):
    """An IPv6 customer has 65,536 networks to begin logins from."""
    monkeypatch.setattr(pending_logins, "MAX_OF_ADDRESS", 2)
    for n in range(2):
        begin(tenants, REMOTE_ADDR=f"2001:db8:1:{n}::1")
    assert tenants.stranger(REMOTE_ADDR="2001:db8:1:ffff::1").post(LOGIN, {}).status == 429
    begin(tenants, REMOTE_ADDR="2001:db8:2::1")


def test_strangers_cannot_close_the_login(tenants, monkeypatch):
    """When too many wait, the oldest that nobody granted gives way; a granted one stays for npm to collect."""
    monkeypatch.setattr(pending_logins, "MAX_IN_ALL", 3)
    moment = [datetime(2026, 1, 1, tzinfo=UTC)]
    logins = PendingLogins(tenants.platform.organization("acme").storage, clock=lambda: moment[0])
    names = []
    for n in range(5):
        moment[0] += timedelta(seconds=1)
        names.append(logins.begin(Actor(ip=f"192.0.2.{n}")))
        if n == 0:
            logins.grant(names[0][0], "ann", [Grant.PROXY])
    for name, _ in names[1:3]:
        with pytest.raises(NotFound):
            logins.find(name)
    assert [logins.find(name).ip for name, _ in names[3:]] == ["192.0.2.3", "192.0.2.4"]
    assert logins.collect(names[0][1]).administrator == "ann"


@pytest.mark.parametrize(
    "headers",
    [{"HTTP_ORIGIN": "http://evil.example"}, {"HTTP_SEC_FETCH_SITE": "cross-site"}, {"HTTP_ORIGIN": "null"}],
    ids=["another origin", "another site", "no origin that can be named"],
)
def test_login_is_not_begun_from_another_site(tenants, headers):
    """A page elsewhere cannot make a browser begin a login for whoever looks at it."""
    assert tenants.stranger(**headers).post(LOGIN, {}).status == 403
    assert list(tenants.platform.organization("acme").storage.list("logins")) == []


def test_whatever_holds_a_secret_is_not_kept(tenants):
    """No cache on the way keeps the names of a login, nor its token, by either way of logging in."""
    begun = tenants.stranger().post(LOGIN, {})
    url, poll = begin(tenants)
    browser = Browser(tenants)
    browser.ask("POST", url, browser.fields(url))
    for answer in (begun, poll(), legacy(tenants)):
        assert answer.status in (200, 201)
        assert answer.headers["cache-control"] == "no-store"


def test_login_that_changed_meanwhile_is_not_collected(tenants):
    """The token goes to the one who removes the record as it was read: two can never both have it."""
    storage = tenants.platform.organization("acme").storage
    logins = PendingLogins(storage)
    name, secret = logins.begin(ACTOR)
    logins.grant(name, "ann", [Grant.PROXY])
    (key,) = storage.list("logins")

    class Racing:
        """A storage on which another process writes right after this one has read."""

        def __getattr__(self, attribute):
            return getattr(storage, attribute)

        raced = False

        def read(self, key):
            stored = storage.read(key)
            if not self.raced:
                self.raced = True
                storage.replace(key, stored.data + b" ", stored.revision)
            return stored

    with pytest.raises(NotFound):
        PendingLogins(Racing()).collect(secret)
    assert list(storage.list("logins")) == [key]


def test_login_that_could_not_be_removed_is_collected_once(tenants):
    """Its record may stay behind, but gives no second token."""
    storage = tenants.platform.organization("acme").storage
    logins = PendingLogins(storage)
    name, secret = logins.begin(ACTOR)
    logins.grant(name, "ann", [Grant.PROXY])
    third = Faulty(storage, 3)  # read, replaced, and then not deleted
    assert PendingLogins(third).collect(secret).administrator == "ann"
    assert (third.struck, len(list(storage.list("logins")))) == (True, 1)
    with pytest.raises(NotFound):
        logins.collect(secret)


@pytest.mark.parametrize("name", ["", "x", "0-0-0", "../../settings", "f" * 12 + "-00000000-" + "0" * 64])
def test_made_up_names_are_over(tenants, name):
    """A name that was never given out is like one that is over."""
    assert tenants.stranger().get(f"{LOGIN}/done/{name or '%00'}").status in (400, 404)
    assert Browser(tenants).ask("GET", f"http://{HOST}{LOGIN}/page/{name or '%00'}").status == 404


def legacy(tenants, name="ann", password=PASSWORD, body_name=None, token="", **environ):
    body = {"_id": f"org.couchdb.user:{name}", "name": body_name or name, "password": password, "type": "user"}
    client = Client(tenants.app, token, environ=environ)
    return client.put(f"/acme/-/user/org.couchdb.user:{name}", body)


@pytest.mark.parametrize("token", ["", "nproxy_wrong", "npm_x"])
def test_legacy_login_gives_a_token(tenants, token):
    """201 with a token that may do everything; the client's old one is never looked at."""
    answer = legacy(tenants, token=token)
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    principal = tenants.platform.organization("acme").tokens.find(answer.json["token"])
    assert (principal.name, principal.grants) == ("ann", set(Grant))


def test_legacy_login_of_pnpm_is_understood(tenants):
    """pnpm sends the password as Basic, too."""
    header = "Basic YW5uOng="
    assert legacy(tenants, HTTP_AUTHORIZATION=header).status == 201


def test_legacy_login_refuses(tenants):
    """A wrong password 401, another name 400, guessing 429, a page of another site 403."""
    assert legacy(tenants, body_name="eve").status == 400
    assert legacy(tenants, HTTP_ORIGIN="http://evil.example").status == 403
    answers = [legacy(tenants, password="wrong password") for _ in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]
    assert answers[0].headers["www-authenticate"].startswith("Basic ")


def test_without_administrators_there_is_no_login(acme):
    """A registry that is embedded has none: npm is told 404, and asks for a name and a password in vain."""
    assert acme.stranger().post("/-/v1/login", {}).status == 404
    assert acme.stranger().put("/-/user/org.couchdb.user:ann", {"name": "ann", "password": "x"}).status == 404


def test_of_many_polls_one_collects(tenants):
    """However many ask at once, in however many processes, one gets the token and one token is made."""
    urls = tenants.stranger().post(LOGIN, {}).json
    name, secret = (urls[key].rpartition("/")[2] for key in ("loginUrl", "doneUrl"))
    storage = tenants.platform.organization("acme").storage
    PendingLogins(storage).grant(name, "ann", [Grant.PROXY])
    others = [PlatformFixture(tenants.storage, orgs=()) for _ in range(3)]
    with ThreadPoolExecutor(8) as pool:
        polls = [pool.submit(others[n % 3].stranger().get, f"{LOGIN}/done/{secret}") for n in range(8)]
    assert sorted(poll.result().status for poll in polls) == [200] + [404] * 7
    assert len(tenants.platform.organization("acme").tokens.list()) == 1


def test_no_secret_is_stored_or_logged(tenants, caplog):
    """After logins, sessions and tokens of every kind: no plaintext anywhere but in the answers."""
    caplog.set_level("DEBUG")
    url, poll = begin(tenants)
    browser = Browser(tenants)
    browser.ask("POST", url, browser.fields(url))
    manager = Client(tenants.app, "")
    session = manager.post("/api/v1/sessions", {"username": "ann", "password": PASSWORD}).json["session"]
    made = (
        Client(tenants.app, session).post("/api/v1/orgs/acme/tokens", {"name": "ci", "scopes": ["proxy"]}).json["token"]
    )
    secrets = [poll().json["token"], legacy(tenants).json["token"], session, made, PASSWORD]
    Client(tenants.app, made).delete(f"/acme/-/user/token/{made}")
    Client(tenants.app, session).delete("/api/v1/sessions")
    legacy(tenants, password="wrong " + PASSWORD)
    events = Client(tenants.app, tenants.session()).get("/api/v1/orgs/acme/audit").body.decode()
    stored = b"".join(tenants.storage.read(key).data for key in tenants.storage.list()).decode()
    for secret in secrets:
        assert secret not in stored + events + caplog.text + repr(tenants.platform.__dict__)
