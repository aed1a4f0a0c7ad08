"""What npm can ask a registry to keep, and this one does not: refused by name, and never taken for absent."""

from __future__ import annotations

import pytest
from support.client import Client
from support.registry import RegistryFixture, publish

from nproxy_mw.npm.features import feature_of
from nproxy_mw.npm.routes import parse_route
from nproxy_mw.stack import front_page, layers, stack

# What clients send, with {} for a package's name; and the word by which the sentence names the feature.
OF_A_PACKAGE = [
    pytest.param("PUT", "/-/package/{}/owners", "owners", id="pnpm owner add"),
    pytest.param("GET", "/-/package/{}/owners", "owners", id="owners"),
    pytest.param("POST", "/-/package/{}/access", "access settings", id="npm access set"),
    pytest.param("PUT", "/-/package/{}/collaborators", "owners", id="change collaborators"),
    pytest.param("GET", "/-/package/{}/trust", "trusted publishers", id="npm trust list"),
    pytest.param("POST", "/-/package/{}/trust", "trusted publishers", id="npm trust"),
    pytest.param("PUT", "/-/user/package/{}/star", "stars", id="pnpm star"),
    pytest.param("POST", "/-/stage/package/{}", "staged versions", id="npm stage publish"),
]
OF_NO_PACKAGE = [
    pytest.param("GET", "/-/org/acme/package", "lists of packages", id="npm access list packages"),
    pytest.param("GET", "/-/user/ann/package", "lists of packages", id="npm access list packages of a user"),
    pytest.param("GET", "/-/team/acme/devs/package", "lists of packages", id="npm access list packages of a team"),
    pytest.param("GET", "/-/-/package", "lists of packages", id="pnpm access list packages"),
    pytest.param("PUT", "/-/team/acme/devs/package", "lists of packages", id="npm access grant"),
    pytest.param("GET", "/-/team/acme/devs/user", "teams", id="npm team ls"),
    pytest.param("PUT", "/-/org/acme/team", "teams", id="npm team create"),
    pytest.param("GET", "/-/org/acme/user", "teams", id="npm org ls"),
    pytest.param("GET", "/-/npm/v1/hooks", "hooks", id="npm hook ls"),
    pytest.param("POST", "/-/npm/v1/hooks/hook", "hooks", id="npm hook add"),
    pytest.param("GET", "/-/npm/v1/user", "profiles", id="npm profile get"),
    pytest.param("GET", "/-/_view/starredByUser", "stars", id="npm stars"),
    pytest.param("PUT", "/-/user/v1/star", "stars", id="pnpm star, first"),
    pytest.param("GET", "/-/stage", "staged versions", id="npm stage list"),
    pytest.param("GET", "/-/stage/1-2/tarball", "staged versions", id="npm stage download"),
    pytest.param("GET", "/-/user/org.couchdb.user:bob", "owners", id="npm owner add, first"),
]


@pytest.fixture(params=["with an upstream", "without one"])
def any_registry(request):
    """A registry with one package, and its upstream."""
    acme = RegistryFixture()
    assert publish(acme.client()).status == 201
    if request.param == "without one":
        acme.app = stack(*layers(acme.organization, None), on=front_page)
    return acme


def is_refused(response, words):
    """405 with a sentence that names the feature, in the body and for npm's eyes."""
    return response.status == 405 and words in response.error and response.headers["npm-notice"] == response.error


@pytest.mark.parametrize(("method", "path", "words"), OF_A_PACKAGE)
@pytest.mark.parametrize("name", ["@acme%2futils", "@acme%2fabsent", "lodash"])
def test_feature_of_a_package_is_refused_by_name(any_registry, name, method, path, words):
    """Of internal packages, absent ones and public ones alike; the upstream hears nothing."""
    document = {} if method != "GET" else None
    response = any_registry.client().ask(method, path.format(name), json=document)
    assert is_refused(response, words)
    assert ("--registry" in response.error) is (name == "lodash")
    stranger = any_registry.stranger().ask(method, path.format(name), json=document)
    assert stranger.status == (405 if name == "lodash" else 401)
    assert any_registry.upstream.asked == []


@pytest.mark.parametrize(("method", "path", "words"), OF_NO_PACKAGE)
def test_feature_of_no_package_is_refused_by_name(any_registry, method, path, words):
    """The same for what is asked of the registry itself."""
    response = any_registry.client().ask(method, path, json={} if method != "GET" else None)
    assert is_refused(response, words)
    assert any_registry.upstream.asked == []


@pytest.mark.parametrize("name", ["@acme%2futils", "lodash"])
def test_oidc_exchange_is_404(any_registry, name):
    """npm and yarn 4 go on with the token that is configured; whatever the package and whoever asks."""
    path = f"/-/npm/v1/oidc/token/exchange/package/{name}"
    for client in (any_registry.client("proxy"), any_registry.stranger()):
        response = client.post(path, {}, Authorization="Bearer eyJhbGciOi.J9.x" if not client.token else None)
        assert (response.status, response.code) == (404, "no-oidc")


def test_visibility_of_a_public_package_is_404(any_registry):
    """npm asks before it publishes with provenance, and gives up on anything but an answer or a 404."""
    assert any_registry.client().get("/-/package/lodash/visibility").status == 404


def test_status_of_a_public_package_is_not_made_up(any_registry):
    """pnpm access get status prints 'public' for any answer without 'access': it gets a refusal."""
    assert is_refused(any_registry.client().get("/-/package/lodash/access"), "access settings")


@pytest.mark.parametrize(
    "path",
    ["/-/ping", "/lodash", "/@acme/utils/1.0.0", "/-/package/lodash/dist-tags", "/-/v1/search", "/-/x", "/lodash/a/b"],
)
def test_what_is_kept_is_no_feature(path):
    """Only what is in the table is refused as such."""
    assert feature_of(parse_route(path)) is None


def test_owners_and_stars_of_internal_packages_by_document_are_405(any_registry):
    """npm owner add and npm star send a document to the package itself."""
    client = any_registry.client()
    revision = client.get("/@acme%2futils").json["_rev"]
    owners = {"_id": "@acme/utils", "_rev": revision, "maintainers": [{"name": "bob", "email": "b@x"}]}
    assert client.put(f"/@acme%2futils/-rev/{revision}", owners).status == 405
    assert client.put("/@acme%2futils", {"_id": "@acme/utils", "_rev": revision, "users": {"ann": True}}).status == 405
    assert Client(any_registry.app, client.token).get("/@acme%2futils").json["_rev"] == revision
