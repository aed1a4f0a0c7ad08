"""TenantRouter: whose registry a request is for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.client import Client, validated
from support.hosting import PlatformFixture
from support.layers import say
from support.registry import ACTOR, publish

from nproxy_mw.http.context import ORG
from nproxy_mw.http.sites import check_domain
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.tenants import ByHost, ByPath, FixedOrg, TenantRouter
from nproxy_mw.upstream.responses import UpstreamResponse

DOMAIN = "registry.example"
WAYS = [
    pytest.param(ByPath(), "/acme", {}, id="by path"),
    pytest.param(ByHost(DOMAIN), "", {"HTTP_HOST": f"acme.{DOMAIN}"}, id="by host"),
    pytest.param(FixedOrg("acme"), "", {}, id="fixed"),
]


def echo(environ, start_response):
    document = {"org": ORG.find(environ), "script": environ["SCRIPT_NAME"], "path": environ["PATH_INFO"]}
    return say(environ, start_response, document)


def door(resolve):
    """TenantRouter alone, over two organizations that say what they were handed."""
    registries = {"acme": echo, "beta": echo}

    def layer(app):
        return TenantRouter(app, resolve=resolve, registry_of=registries.get)

    return Client(validated([ErrorResponses, layer], on=echo))


@pytest.mark.parametrize(
    ("host", "org"),
    [
        pytest.param("acme.registry.example", "acme", id="plain"),
        pytest.param("acme.registry.example:8443", "acme", id="with a port"),
        pytest.param("ACME.Registry.Example", "acme", id="in upper case"),
        pytest.param("beta.registry.example.", "beta", id="with the root's dot"),
        pytest.param("registry.example", None, id="the platform's own"),
        pytest.param("registry.example:80", None, id="the platform's own with a port"),
    ],
)
def test_host_tells_the_organization(host, org):
    """The first label of the host is the organization; the bare domain is the platform."""
    answer = door(ByHost(DOMAIN)).get("/x", environ={"HTTP_HOST": host})
    assert answer.json == {"org": org, "script": "", "path": "/x"}


@pytest.mark.parametrize(
    "host",
    [
        "gamma.registry.example",
        "a.acme.registry.example",
        ".registry.example",
        "acme.registry.example.evil.example",
        "acmeregistry.example",
        "acme.evilregistry.example",
        "acme.a.registry.example",
        "127.0.0.1",
        "[::1]:80",
        "acme",
        "acme.registry.example/x",
        "acme.registry.example:x",
        "acme@registry.example",
        "acme.registry.example, registry.example",
        "-.registry.example",
        "..registry.example",
    ],
)
def test_other_hosts_all_look_the_same(host):
    """Whatever a host is that is none of an organization's, the answer is one and the same."""
    answer = door(ByHost(DOMAIN)).get("/x", environ={"HTTP_HOST": host})
    assert (answer.status, answer.code) == (404, "registry-not-found")


def test_missing_host_is_the_servers_name():
    """HTTP/1.0 names no host: the server's own name stands for it."""
    answer = door(ByHost(DOMAIN)).get("/x", environ={"HTTP_HOST": None, "SERVER_NAME": f"acme.{DOMAIN}"})
    assert answer.json["org"] == "acme"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/acme/@acme%2fx", {"org": "acme", "script": "/acme", "path": "/@acme/x"}, id="a package"),
        pytest.param("/acme/", {"org": "acme", "script": "/acme", "path": "/"}, id="the root"),
        pytest.param("/acme", {"org": "acme", "script": "/acme", "path": ""}, id="the root without a slash"),
        pytest.param("/beta/acme/x", {"org": "beta", "script": "/beta", "path": "/acme/x"}, id="another's name inside"),
        pytest.param("/", {"org": None, "script": "", "path": "/"}, id="the platform's own"),
    ],
)
def test_path_tells_the_organization(path, expected):
    """The first segment is the organization; it moves from PATH_INFO to SCRIPT_NAME."""
    assert door(ByPath()).get(path).json == expected


@pytest.mark.parametrize(
    "path",
    [
        "/gamma/x",
        "//acme/x",
        "/ACME/x",
        "/acme%00/x",
        "/acme%2e/x",
        "/../acme/x",
        "/%2e%2e/x",
        "/a%0d%0ab/x",
        "/acmex",
        "/-/ping",
        "/-/npm/v1/attestations/lodash@1.0.0",
        "/-/npm/v1/oidc/token/exchange/package/lodash",
    ],
)
def test_other_paths_all_look_the_same(path):
    """A path without an organization says nothing of what it could have been; npm's absolute paths are none either."""
    answer = door(ByPath()).get(path)
    assert (answer.status, answer.code) == (404, "registry-not-found")


def test_prefix_of_a_mount_is_kept():
    """Under a prefix of the host application, the organization's follows it."""
    assert door(ByPath()).get("/acme/x", environ={"SCRIPT_NAME": "/npm"}).json["script"] == "/npm/acme"


@pytest.mark.parametrize("resolve", [FixedOrg("gamma"), ByPath(), ByHost(DOMAIN)])
@given(path=st.text(max_size=30), host=st.text(st.characters(max_codepoint=255), max_size=30))
def test_anything_may_be_asked(resolve, path, host):
    """No path and no host is more than a request for an organization, or for none."""
    environ = {"PATH_INFO": path.encode().decode("latin-1"), "HTTP_HOST": host, "SERVER_NAME": "x", "SERVER_PORT": "80"}
    found = resolve(environ)
    assert found is None or isinstance(found[0], str)


@pytest.mark.parametrize(
    "domain", ["", "registry.example:80", "https://registry.example", "Registry.example", "a..b", "-a.b", "a/b", "é.b"]
)
def test_domain_is_a_hosts_name(domain):
    """A domain with anything around it is refused when the server is built."""
    with pytest.raises(ValueError, match="registry"):
        ByHost(domain)
    assert check_domain("registry.example") == "registry.example"


@pytest.mark.parametrize(("resolve", "prefix", "environ"), WAYS)
def test_each_way_leads_to_a_whole_registry(resolve, prefix, environ):
    """Publish, read and install, with URLs that lead back to the same registry."""
    tenants = PlatformFixture(resolve=resolve)
    tenants.scopes("acme", "@acme")
    client = tenants.client("acme", **environ)
    publish(Prefixed(client, prefix))
    packument = client.get(f"{prefix}/@acme%2futils").json
    host = environ.get("HTTP_HOST", "registry.example")
    tarball = packument["versions"]["1.0.0"]["dist"]["tarball"]
    assert tarball == f"http://{host}{prefix}/@acme/utils/-/utils-1.0.0.tgz"
    assert client.get(f"{prefix}/@acme/utils/-/utils-1.0.0.tgz").status == 200
    assert client.get(f"{prefix}/-/whoami").json == {"username": "bob"}


@pytest.mark.parametrize(
    ("resolve", "public_url", "expected"),
    [
        pytest.param(ByPath(), "https://npm.example/x", "https://npm.example/x/acme", id="by path"),
        pytest.param(ByPath(), "https://npm.example/", "https://npm.example/acme", id="by path, a slash at the end"),
        pytest.param(ByHost(DOMAIN), "https://registry.example", "https://acme.registry.example", id="by host"),
        pytest.param(
            ByHost(DOMAIN), "https://registry.example:8443", "https://acme.registry.example:8443", id="a port"
        ),
        pytest.param(FixedOrg("acme"), "https://npm.example", "https://npm.example", id="fixed"),
        pytest.param(ByPath(), None, None, id="follows the request"),
    ],
)
def test_public_url_is_the_organizations(resolve, public_url, expected):
    """Each organization has a public URL of its own, made from the platform's."""
    assert PlatformFixture(resolve=resolve, public_url=public_url).platform.public_url_of("acme") == expected


@pytest.mark.parametrize(
    ("resolve", "fixed", "domain", "where"),
    [
        pytest.param(FixedOrg("acme"), "acme", None, "http://x/", id="fixed"),
        pytest.param(ByHost(DOMAIN), None, DOMAIN, f"http(s)://ID.{DOMAIN}/", id="by host"),
        pytest.param(ByPath(), None, None, "http://x/ID/", id="by path"),
    ],
)
def test_each_way_says_what_it_is(resolve, fixed, domain, where):
    """What a platform and an operator need to know of it, without asking for its class."""
    assert (resolve.fixed_org, resolve.management_domain, resolve.describe("http://x")) == (fixed, domain, where)


def test_organization_of_another_process_is_there_at_once():
    """One made elsewhere is served by the next request; nothing was kept of its absence."""
    tenants = PlatformFixture(orgs=())
    elsewhere = PlatformFixture(tenants.storage, orgs=())
    assert tenants.stranger().get("/acme/-/ping").status == 404
    elsewhere.organizations.create("acme", actor=ACTOR)
    assert tenants.stranger().get("/acme/-/ping").status == 200


def test_few_stacks_are_kept():
    """Memory does not grow with the organizations that were ever asked for; a dropped stack is built again."""
    tenants = PlatformFixture()
    kept = tenants.platform._registries
    kept.max_items = 1
    for org in ("acme", "beta", "acme"):
        assert tenants.stranger().get(f"/{org}/-/ping").status == 200
        assert len(kept) == 1


ATTESTED = {
    "name": "left",
    "dist-tags": {"latest": "1.0.0"},
    "versions": {
        "1.0.0": {
            "name": "left",
            "version": "1.0.0",
            "dist": {"attestations": {"url": "https://upstream.example/-/npm/v1/attestations/left@1.0.0"}},
        }
    },
}


def test_attestations_come_back_below_the_prefix():
    """npm asks the host's root for the path of that URL: it holds the prefix, so the right registry is asked."""
    tenants = PlatformFixture()
    body = json.dumps(ATTESTED).encode()
    tenants.upstream.send = lambda *arguments, **keywords: UpstreamResponse(200, [], lambda size: iter([body]))
    packument = tenants.stranger().get("/acme/left").json
    url = packument["versions"]["1.0.0"]["dist"]["attestations"]["url"]
    assert url == "http://registry.example/acme/-/npm/v1/attestations/left@1.0.0"
    assert tenants.stranger().get("/acme/-/npm/v1/attestations/left@1.0.0").status == 200


class Prefixed:
    """A client below a prefix."""

    def __init__(self, client, prefix):
        self.client, self.prefix = client, prefix

    def put(self, path, *arguments, **keywords):
        answer = self.client.put(self.prefix + path, *arguments, **keywords)
        assert answer.status == 201
        return answer
