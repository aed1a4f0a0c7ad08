"""ScopeRouter: the wall against dependency confusion."""

from __future__ import annotations

from itertools import product

import pytest
from support.client import Client, validated
from support.layers import FixedSettings, say
from support.registry import RegistryFixture

from nproxy_mw.access import ANONYMOUS, Grant, Principal
from nproxy_mw.http.context import DESTINATION, ROUTE, Destination, context_of
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.scope_router import ScopeRouter
from nproxy_mw.npm.routes import Kind
from nproxy_mw.token_format import make_secret, make_session_secret

ACME = "@acme"
HOLDER = Principal(name="ann", token_hash="00", grants=frozenset({Grant.PROXY}))


class Router:
    """ScopeRouter alone, and what it left for the layers below."""

    def __init__(self, settings=None, principal=ANONYMOUS):
        self.left = []
        self.settings = settings or FixedSettings()

        def known(app):
            def layer(environ, start_response):
                context_of(environ, by="tests").principal = principal
                return app(environ, start_response)

            return layer

        def inner(environ, start_response):
            self.left.append((DESTINATION.require(environ, by="tests"), ROUTE.require(environ, by="tests")))
            return say(environ, start_response, {})

        router = [ErrorResponses, known, lambda app: ScopeRouter(app, settings=self.settings)]
        self.client = Client(validated(router, on=inner))

    def destination(self, path, method="GET"):
        assert self.client.ask(method, path).status == 200
        return self.left[-1][0]


@pytest.mark.parametrize(
    "path",
    [
        "/@acme/utils",
        "/@acme%2futils",
        "/@acme%2Futils",
        "/%40acme%2futils",
        "/%40acme/utils",
        "/@acme/utils/1.0.0",
        "/@acme/utils/latest",
        "/@acme/utils/-/utils-1.0.0.tgz",
        "/@acme%2futils/-/utils-1.0.0.tgz",
        "/@acme/utils/-/@acme/utils-1.0.0.tgz",
        "/@acme/utils/-rev/1-x",
        "/@acme/utils/-/utils-1.0.0.tgz/-rev/1-x",
        "/-/package/@acme%2futils/dist-tags",
        "/-/package/@acme/utils/dist-tags/latest",
        "/-/package/@acme%2futils/visibility",
        "/-/package/@acme%2futils/collaborators",
        "/-/npm/v1/attestations/@acme/utils@1.0.0",
        "/-/npm/v1/attestations/@acme%2futils@1.0.0",
        "/-/npm/v1/oidc/token/exchange/package/@acme%2futils",
        "/-/stage/package/@acme%2futils",
        "/-/user/package/@acme%2futils/star",
        "/@acme/utils/some/thing/else",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST"])
def test_every_path_with_an_internal_name_is_internal(path, method):
    """Whatever the route and the verb, a name under the scope is marked internal."""
    assert Router().destination(path, method) is Destination.INTERNAL


@pytest.mark.parametrize(
    "path",
    [
        "/@ACME/utils",
        "/@Acme/utils",
        "/@acme-corp/utils",
        "/@acme.evil/x",
        "/@acm/e",
        "/@acme_/utils",
        "/acme",
        "/utils",
        "/acme/utils",
        "/@types%2fnode",
        "/-/package/lodash/dist-tags",
    ],
)
def test_other_names_are_the_upstreams(path):
    """The whole scope is compared, exactly and with case."""
    assert Router().destination(path) is Destination.UPSTREAM


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", Kind.ROOT),
        ("/-/ping", Kind.PING),
        ("/-/whoami", Kind.WHOAMI),
        ("/-/v1/search", Kind.SEARCH),
        ("/-/npm/v1/keys", Kind.KEYS),
        ("/-/npm/v1/security/advisories/bulk", Kind.ADVISORIES),
        ("/-/team/acme/devs/package", Kind.UNKNOWN),
    ],
)
def test_paths_without_a_name_are_the_registrys(path, kind):
    """What names no package is about the registry itself."""
    router = Router()
    assert router.destination(path) is Destination.REGISTRY
    assert router.left[0][1].kind is kind


STRANGE = [
    "/is-even;/../is-odd",
    "/is-even%23/x",
    "/is-even%3f",
    "/is-even/%2e%2e/is-odd",
    "/is-even/../is-odd",
    "/is-even%5cx",
    "//is-even",
    "/is-even//x",
    "/./is-even",
    "/@acme%252futils",
    "/%2540acme%252futils",
    "/@acme",
    "/@acme/",
    "/@/utils",
    "/@acme/..",
    "/..",
    "/...",
    "/.git",
    "/%00",
    "/is-even%00",
    "/is-even%0d%0aX:y",
    "/C:",
    "/" + "a" * 215,
    "/%EF%BC%A0acme/utils",  # a full-width @
    "/@acm%D0%B5/utils",  # a Cyrillic e
    "/@acme%E2%80%8B/utils",  # a zero-width space
    "/is%20even",
    "/is-even%7f",
    "/@acme%2f%2futils",
    "/@acme%2f..%2futils",
    "/node_modules",
    "/favicon.ico",
]


@pytest.mark.parametrize("path", STRANGE)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_strange_path_is_400_and_nobody_is_asked(path, method):
    """What is no npm path is refused before anything else happens: no look at the storage, no request upstream."""
    acme = RegistryFixture()
    before = acme.stored()
    response = acme.client().ask(method, path)
    assert response.status == 400
    assert (acme.upstream.asked, acme.stored()) == ([], before)
    router = Router()
    assert router.client.ask(method, path).status == 400
    assert router.left == []


@pytest.mark.parametrize("path", ["/@ACME/x", "/@acme-corp/x", "/@acme.evil/x", "/acme"])
def test_neighbours_of_the_scope_reach_the_upstream_under_their_own_name(path):
    """A name that is not internal is asked of the upstream as it is, never as the internal one."""
    acme = RegistryFixture()
    acme.stranger().get(path)
    assert [target for _, target, _, _ in acme.upstream.asked] == [path.replace("/x", "%2fx")]


@pytest.mark.parametrize("raw", ["/@acme/utils", "/lodash", "/@acme%2futils"])
def test_raw_path_of_the_server_decides_nothing(raw):
    """Servers hand the undecoded path over in keys of their own: a client could make the two differ."""
    router = Router()
    environ = {"RAW_URI": raw, "REQUEST_URI": raw}
    assert router.client.get("/@types/node", environ=environ).status == 200
    assert str(router.left[0][1].name) == "@types/node"


def test_settings_are_asked_at_each_request():
    """A change of the settings holds at once."""
    router = Router(FixedSettings(()))
    assert router.destination("/@acme/utils") is Destination.UPSTREAM
    router.settings.internal_scopes = (ACME,)
    assert router.destination("/@acme/utils") is Destination.INTERNAL


UPSTREAM_READS = [
    *product(("GET", "HEAD"), ("/lodash", "/lodash/latest", "/lodash/-/lodash-1.0.0.tgz")),
    *product(("GET", "HEAD"), ("/-/package/lodash/dist-tags", "/-/npm/v1/attestations/lodash@1.0.0")),
    *product(("POST",), ("/-/npm/v1/security/advisories/bulk", "/-/npm/v1/security/audits/quick")),
]


@pytest.mark.parametrize(("method", "path"), UPSTREAM_READS)
@pytest.mark.parametrize(
    ("public", "principal", "status"),
    [
        pytest.param(True, ANONYMOUS, 200, id="public"),
        pytest.param(False, HOLDER, 200, id="private, with proxy"),
        pytest.param(False, ANONYMOUS, 401, id="private, without a token"),
        pytest.param(False, Principal(upstream_authorization="Bearer npm_x"), 401, id="private, the upstream's token"),
        pytest.param(False, Principal(token_hash="00", grants=frozenset({Grant.PUBLISH})), 403, id="private, publish"),
    ],
)
def test_public_reads(public, principal, status, method, path):
    """Upstream packages are read, and audited, without a token only where the organization lets everybody."""
    router = Router(FixedSettings(public_reads=public), principal)
    assert router.client.ask(method, path).status == status
    assert bool(router.left) is (status == 200)


@pytest.mark.parametrize("path", ["/", "/-/ping", "/-/whoami", "/@acme/utils", "/@acme/utils/-/utils-1.0.0.tgz"])
def test_what_is_not_the_upstreams_is_for_the_layers_below_to_decide(path):
    """A token that may only publish, or none, is asked for nothing here, however private the public packages are."""
    for principal in (ANONYMOUS, Principal(name="ci", token_hash="00", grants=frozenset({Grant.PUBLISH}))):
        assert Router(FixedSettings(public_reads=False), principal).client.get(path).status == 200


def test_publishing_upstream_needs_no_token_of_ours():
    """A public publish stands on the upstream's own token, whatever publicReads says."""
    assert Router(FixedSettings(public_reads=False)).client.put("/lodash", {}).status == 200


@pytest.mark.parametrize("secret", [make_secret(), make_session_secret()], ids=["token", "session"])
@pytest.mark.parametrize(
    "path",
    [
        "/{}",
        "/@types/{}",
        "/x-{}",
        "/lodash/{}",
        "/lodash/-/{}.tgz",
        "/lodash/-rev/{}",
        "/-/package/lodash/dist-tags/{}",
        "/-/npm/v1/attestations/lodash@{}",
        "/-/npm/v1/attestations/{}@1.0.0",
    ],
)
def test_secret_in_a_path_goes_no_further(secret, path):
    """Somebody typed or pasted it in the wrong place: the upstream does not hear it, and nobody repeats it."""
    router = Router()
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = router.client.ask(method, path.format(secret))
        assert answer.status == 400
        assert secret not in f"{answer.headers} {answer.body!r}"
    assert router.left == []


@pytest.mark.parametrize("path", ["/nproxy_helpers", "/@types/nproxy_middleware_for_everything", "/session_store"])
def test_name_like_a_secret_is_a_name(path):
    """Only what has a secret's length, and a token's checksum, is taken for one."""
    assert Router().destination(path) is Destination.UPSTREAM


@pytest.mark.parametrize("path", ["/-/npm/v1/tokens/token/{}", "/-/user/token/{}", "/@acme/{}"])
def test_secret_may_stand_where_this_registry_reads_it(path):
    """A logout names the token that it ends."""
    assert Router().destination(path.format(make_secret()), "DELETE") is not Destination.UPSTREAM
