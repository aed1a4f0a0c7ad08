"""JSON bodies: every route that takes one reads it through the same bounded reader, before it does anything else."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from support.client import Client
from support.costs import least_memory
from support.hosting import PlatformFixture
from support.registry import publish

from nproxy_mw.errors import BadRequest, PayloadTooLarge
from nproxy_mw.http.json_bodies import (
    BULK_AUDIT,
    CREDENTIALS,
    MANAGEMENT,
    PUBLICATION,
    QUICK_AUDIT,
    TAG,
    JsonLimits,
    read_json,
)

BULK, QUICK = "/-/npm/v1/security/advisories/bulk", "/-/npm/v1/security/audits/quick"
# Every route that takes JSON: who sends it, what is asked, and the limits that suit it.
ROUTES = [
    pytest.param("nobody", "POST", BULK, BULK_AUDIT, id="bulk audit"),
    pytest.param("nobody", "POST", QUICK, QUICK_AUDIT, id="quick audit"),
    pytest.param("nobody", "PUT", "/-/user/org.couchdb.user:ann", CREDENTIALS, id="login"),
    pytest.param("nobody", "POST", "/api/v1/sessions", CREDENTIALS, id="sign in"),
    pytest.param("token", "PUT", "/@acme%2futils", PUBLICATION, id="publish"),
    pytest.param("token", "PUT", "/@acme%2futils/-rev/1-x", PUBLICATION, id="change a packument"),
    pytest.param("token", "PUT", "/-/package/@acme%2futils/dist-tags/next", TAG, id="tag"),
    pytest.param("npm", "PUT", "/lodash", PUBLICATION, id="public publish"),
    pytest.param("session", "PUT", "/api/v1/orgs/acme/settings", MANAGEMENT, id="settings"),
    pytest.param("session", "POST", "/api/v1/orgs/acme/tokens", MANAGEMENT, id="token"),
    pytest.param("session", "POST", "/api/v1/orgs", MANAGEMENT, id="organization"),
]


@pytest.fixture(scope="module")
def tenants():
    """A server with one organization, whose package @acme/utils is there."""
    made = PlatformFixture(orgs=("acme",))
    made.scopes("acme", "@acme")
    publish(Client(Below(made.app, "/acme"), made.token("acme")))
    _ = made.signed_in
    return made


class Below:
    """*app* below a path, for requests of the registry alone."""

    def __init__(self, app, prefix):
        self.app, self.prefix = app, prefix

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if not path.startswith("/api/"):
            environ["PATH_INFO"] = self.prefix + path
        return self.app(environ, start_response)


def ask(tenants, who, method, path, body, **headers):
    secret = {"nobody": "", "token": tenants.token("acme"), "npm": "npm_x", "session": tenants.session()}[who]
    return Client(Below(tenants.app, "/acme"), secret).ask(method, path, body=body, **headers)


@pytest.mark.parametrize(("who", "method", "path", "limits"), ROUTES)
@pytest.mark.parametrize("bomb", [b"{},", b"[],", b'"",', b"0,"], ids=["objects", "lists", "texts", "numbers"])
def test_many_values_are_refused_before_they_are_built(tenants, who, method, path, limits, bomb):
    """A body within its length that is all values is a 400, and takes no more memory than its text a few times."""
    count = min(limits.marks + 2, limits.size // 4)
    body = b'{"_id":"lodash","a":[' + bomb * count + b"0]}"
    bound = 6 * len(body) + 2**20

    def refuse():
        response = ask(tenants, who, method, path, body)
        assert (response.status, response.code) in {(400, "invalid-json"), (413, "payload-too-large")}

    assert least_memory(refuse, bound) < bound


@pytest.mark.parametrize(("who", "method", "path", "limits"), ROUTES)
def test_long_body_is_413(tenants, who, method, path, limits):
    """Each route has its own length, and says so before the body is read."""
    response = ask(tenants, who, method, path, b"", environ={"CONTENT_LENGTH": str(limits.size + 1)})
    assert (response.status, response.code) == (413, "payload-too-large")


@pytest.mark.parametrize(
    ("who", "method", "path", "limits"), [route for route in ROUTES if route.id != "public publish"]
)
def test_body_that_inflates_beyond_its_limit_is_413(tenants, who, method, path, limits):
    """The limit holds for what comes out of gzip; some bytes of it can hold a thousand times as many."""
    body = gzip.compress(b'{"a":"' + b"x" * limits.size + b'"}', 1)
    assert ask(tenants, who, method, path, body, Content_Encoding="gzip").status == 413


@pytest.mark.parametrize(("who", "method", "path", "limits"), ROUTES)
@pytest.mark.parametrize("deep", [b"[", b'{"a":'], ids=["lists", "objects"])
def test_deep_body_is_400(tenants, who, method, path, limits, deep):
    """No route needs more levels than its limit, and no reader's stack is at the mercy of a client."""
    end = {b"[": b"]", b'{"a":': b"}"}[deep]
    body = deep * (limits.depth + 1) + b"1" + end * (limits.depth + 1)
    assert ask(tenants, who, method, path, body).status == 400


@pytest.mark.parametrize(("who", "method", "path", "limits"), ROUTES)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":1,"a":2}', b'{"__proto__":{}}', b"NaN"])
def test_body_with_more_than_one_reading_is_400(tenants, who, method, path, limits, body):
    """Read strictly everywhere: what two readers take for two things is refused."""
    assert ask(tenants, who, method, path, body).status == 400


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        pytest.param(b'["","",0]', True, id="as many marks"),
        pytest.param(b'["","",0,0]', False, id="one mark more"),
        pytest.param(b"[[[[]]]]", True, id="as deep"),
        pytest.param(b"[[[[[]]]]]", False, id="one level deeper"),
        pytest.param(b"0" + b" " * 19, True, id="as long"),
        pytest.param(b"0" + b" " * 20, False, id="one byte longer"),
    ],
)
def test_limit_is_the_last_that_passes(text, passes):
    """At its limits a body is read; one beyond any of them is refused."""
    environ = {"wsgi.input": io.BytesIO(text), "CONTENT_LENGTH": str(len(text))}
    limits = JsonLimits(size=20, marks=7, depth=3)
    if passes:
        assert read_json(environ, limits) == json.loads(text)
    else:
        with pytest.raises((BadRequest, PayloadTooLarge)):
            read_json(environ, limits)
