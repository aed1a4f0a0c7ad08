"""Who may do what, as one table; and that no organization learns anything of another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.client import Client
from support.hosting import PlatformFixture
from support.registry import ACTOR

from nproxy_mw.middleware.tenants import ByHost, ByPath
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.token_format import make_secret

NAME = "/@acme%2futils"
# Operation: what is asked, and the status for each holder, in the order of HOLDERS.
HOLDERS = ("nobody", "proxy", "publish", "both", "revoked", "expired", "unknown", "beta's", "npm's", "session")
REFUSED = (401, 401, 401, 401)  # revoked, expired, unknown, beta's
TABLE = {
    "read packument": ("GET", NAME, (401, 200, 403, 200, *REFUSED, 401, 401)),
    "read packument to change it": ("GET", f"{NAME}?write=true", (401, 200, 200, 200, *REFUSED, 401, 401)),
    "read version": ("GET", f"{NAME}/1.0.0", (401, 200, 403, 200, *REFUSED, 401, 401)),
    "read tarball": ("GET", "/@acme/utils/-/utils-1.0.0.tgz", (401, 200, 403, 200, *REFUSED, 401, 401)),
    "read dist-tags": ("GET", "/-/package/@acme%2futils/dist-tags", (401, 200, 403, 200, *REFUSED, 401, 401)),
    "publish": ("PUT", NAME, (401, 403, 201, 201, *REFUSED, 401, 401)),
    "tag": ("PUT", "/-/package/@acme%2futils/dist-tags/beta", (401, 403, 201, 201, *REFUSED, 401, 401)),
    "untag": ("DELETE", "/-/package/@acme%2futils/dist-tags/old", (401, 403, 200, 200, *REFUSED, 401, 401)),
    "unpublish": ("DELETE", f"{NAME}/-rev/REV", (401, 403, 200, 200, *REFUSED, 401, 401)),
    "read upstream": ("GET", "/lodash", (404, 404, 404, 404, *REFUSED, 404, 401)),
    "read upstream, not public": ("GET", "/lodash", (401, 404, 403, 404, *REFUSED, 401, 401)),
    "publish upstream": ("PUT", "/lodash", (401, 401, 401, 401, *REFUSED, 404, 401)),
    "ping": ("GET", "/-/ping", (200, 200, 200, 200, *REFUSED, 200, 401)),
    "whoami": ("GET", "/-/whoami", (401, 200, 200, 200, *REFUSED, 401, 401)),
    "search": ("GET", "/-/v1/search?text=", (200, 200, 200, 200, *REFUSED, 200, 401)),
    "list tokens": ("GET", "/-/npm/v1/tokens", (401, 200, 200, 200, *REFUSED, 401, 401)),
    "create token": ("POST", "/-/npm/v1/tokens", (405, 405, 405, 405, *REFUSED, 405, 401)),
    "change settings": ("PUT", "SETTINGS", (401, 401, 401, 401, *REFUSED, 401, 200)),
}


class Square(PlatformFixture):
    """Two organizations with the same internal scope; acme has a package."""

    def __init__(self, resolve=None):
        super().__init__(resolve=resolve)
        for org in ("acme", "beta"):
            self.scopes(org, "@acme", "@shared")
        self.prefix = "/acme" if isinstance(self.platform.resolve, ByPath) else ""
        self.environ = {} if self.prefix else {"HTTP_HOST": "acme.registry.example"}
        publisher = Client(self.app, self.token("acme"), environ=self.environ)
        publisher.put(self.prefix + NAME, publish_document("@acme/utils", "1.0.0"))
        publisher.put(f"{self.prefix}/-/package/@acme%2futils/dist-tags/old", "1.0.0")
        self.revision = publisher.get(self.prefix + NAME).json["_rev"]

    def secret(self, holder):
        tokens = self.platform.organization("acme").tokens
        if holder == "expired":
            # Made at another time: no test waits for a clock.
            clock, tokens.clock = tokens.clock, lambda: datetime(2026, 1, 1, tzinfo=UTC)
            secret = self.token("acme", expires_at=datetime(2026, 1, 2, tzinfo=UTC))
            tokens.clock = clock
            return secret
        made = {
            "nobody": lambda: "",
            "proxy": lambda: self.token("acme", "proxy"),
            "publish": lambda: self.token("acme", "publish"),
            "revoked": lambda: self.revoked(tokens),
            "both": lambda: self.token("acme"),
            "unknown": make_secret,
            "beta's": lambda: self.token("beta"),
            "npm's": lambda: "npm_abcdefghijklmnopqrstuvwxyz0123456789",
            "session": self.session,
        }
        return made[holder]()

    def revoked(self, tokens):
        secret, record = tokens.create("x", ["proxy", "publish"], actor=ACTOR)
        tokens.revoke(record.id, actor=ACTOR)
        return secret

    def ask(self, secret, method, path, body=None, prefix=None, environ=None):
        path, _, query = path.replace("REV", self.revision).partition("?")
        client = Client(self.app, secret, environ=self.environ if environ is None else environ)
        return client.ask(method, (self.prefix if prefix is None else prefix) + path, json=body, query=query)


def body_of(operation):
    if operation == "publish":
        return publish_document("@acme/utils", "2.0.0")
    if operation == "publish upstream":
        return publish_document("lodash", "4.0.0")
    return {"tag": "1.0.0", "change settings": {"publicReads": True}}.get(operation)


def outcome(square, operation, holder):
    method, path, _ = TABLE[operation]
    if operation == "read upstream, not public":
        square.platform.organization("acme").settings.change({"publicReads": False}, actor=ACTOR)
    if path == "SETTINGS":
        return square.ask(square.secret(holder), method, "/api/v1/orgs/acme/settings", body_of(operation), "").status
    return square.ask(square.secret(holder), method, path, body_of(operation)).status


@pytest.mark.parametrize("operation", TABLE)
def test_operation_needs_its_token(operation):
    """Every operation, with every kind of token: neither scope implies the other, and nothing else opens anything."""
    expected = dict(zip(HOLDERS, TABLE[operation][2], strict=True))
    for holder, status in expected.items():
        assert outcome(Square(), operation, holder) == status, holder


VERBS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS")
PLACES = (
    NAME,
    "/@acme%2futils/1.0.0",
    "/@acme%2futils/latest",
    "/@acme/utils/-/utils-1.0.0.tgz",
    "/@acme/utils/-/utils-1.0.0.tgz/-rev/REV",
    f"{NAME}/-rev/REV",
    f"{NAME}?write=true",
    "/-/package/@acme%2futils/dist-tags",
    "/-/package/@acme%2futils/dist-tags/latest",
    "/-/package/@acme%2futils/visibility",
    "/-/package/@acme%2futils/collaborators",
    "/-/npm/v1/attestations/@acme%2futils@1.0.0",
)
REGISTRY = (
    "/-/whoami",
    "/-/ping",
    "/-/npm/v1/tokens",
    "/-/npm/v1/user",
    "/-/npm/v1/keys",
    "/-/v1/search?text=utils",
    "/",
    "/lodash",
)


def told(answer):
    """Everything a client sees but for ids."""
    document = answer.json if answer.body else None
    if isinstance(document, dict):
        document.pop("requestId", None)
    return answer.status, {k: v for k, v in answer.headers.items() if k != "content-length"}, document


@pytest.mark.parametrize("resolve", [ByPath(), ByHost("registry.example")], ids=["by path", "by host"])
@pytest.mark.parametrize("verb", VERBS)
def test_another_organizations_token_is_an_unknown_one(resolve, verb):
    """beta's token at acme's registry: what is there answers like what is absent, and like a token that is none."""
    square = Square(resolve)
    secret = square.token("beta")
    for place in (*PLACES, *REGISTRY):
        answer = told(square.ask(secret, verb, place))
        assert answer[0] == 401, place
        assert answer == told(square.ask(secret, verb, place.replace("utils", "absent")))
        assert answer == told(square.ask(make_secret(), verb, place))


@pytest.mark.parametrize("verb", VERBS)
def test_another_organizations_package_is_an_absent_one(verb):
    """beta's token at beta's registry: acme's package under a scope that both have is absent there."""
    square = Square()
    secret = square.token("beta")
    for place in PLACES:
        answer = told(square.ask(secret, verb, place, prefix="/beta"))
        assert answer == told(square.ask(secret, verb, place.replace("utils", "absent"), prefix="/beta")), place
        assert answer[0] >= 400
    assert square.upstream.asked == []


def test_lists_show_the_own_organization_alone():
    """Search, the list of packages, tokens, audit: nothing of the other."""
    square = Square()
    found = square.ask(square.token("beta"), "GET", "/-/v1/search?text=utils", prefix="/beta").json
    assert found["objects"] == []
    manager = square.manager()
    for place in ("packages", "tokens", "audit"):
        assert b"utils" not in manager.get(f"/api/v1/orgs/beta/{place}").body


def test_finished_answers_are_not_shared():
    """The same name in two organizations has two contents, though the memory for answers is one."""
    square = Square()
    document = publish_document("@acme/utils", "1.0.0", package_json={"description": "beta's own"})
    secret = square.token("beta")
    assert square.ask(secret, "PUT", NAME, document, prefix="/beta").status == 201
    assert "beta's own" in square.ask(secret, "GET", NAME, prefix="/beta").body.decode()
    assert "beta's own" not in square.ask(square.token("acme"), "GET", NAME).body.decode()
