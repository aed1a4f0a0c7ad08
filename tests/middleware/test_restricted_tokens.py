"""Tokens for some packages or some addresses, at every door of a registry."""

from __future__ import annotations

from typing import Any

import pytest
from support.client import Client, Response
from support.hosting import PlatformFixture
from support.registry import publish

from nproxy_mw.restrictions import Restrictions, parse_addresses, parse_packages
from nproxy_mw.testing.documents import publish_document

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.7"
BASE = "/acme"


@pytest.fixture(scope="module")
def tenants() -> PlatformFixture:
    """An organization with three packages."""
    made = PlatformFixture()
    made.scopes("acme", "@acme", "@tools")
    for name in ("@acme/web-ui", "@acme/secret", "@tools/web-cli"):
        document = publish_document(name, "1.0.0")
        assert made.client("acme").put(f"{BASE}/{name.replace('/', '%2f')}", document).status == 201
    return made


def restricted(tenants: PlatformFixture, *grants: str, packages: Any = None, addresses: Any = None) -> Client:
    """A client whose token is for *packages* and *addresses*."""
    restrictions = Restrictions(parse_packages(packages), parse_addresses(addresses))
    return Client(tenants.app, tenants.token("acme", *grants, restrictions=restrictions))


READS = [
    pytest.param("GET", "/{}", id="packument"),
    pytest.param("HEAD", "/{}", id="packument, its headers"),
    pytest.param("GET", "/{}?write=true", id="packument, to change it"),
    pytest.param("GET", "/{}/1.0.0", id="version"),
    pytest.param("GET", "/{}/latest", id="tag"),
    pytest.param("GET", "/{}/-/{base}-1.0.0.tgz", id="tarball"),
    pytest.param("HEAD", "/{}/-/{base}-1.0.0.tgz", id="tarball, its headers"),
    pytest.param("GET", "/-/package/{}/dist-tags", id="dist-tags"),
    pytest.param("GET", "/-/package/{}/collaborators", id="collaborators"),
    pytest.param("GET", "/-/package/{}/visibility", id="visibility"),
    pytest.param("GET", "/-/package/{}/access", id="access"),
]
WRITES = [
    pytest.param("PUT", "/{}", id="publish or deprecate"),
    pytest.param("PUT", "/{}/-rev/1", id="unpublish a version"),
    pytest.param("DELETE", "/{}/-rev/1", id="unpublish"),
    pytest.param("DELETE", "/{}/-/{base}-1.0.0.tgz/-rev/1", id="remove a tarball"),
    pytest.param("PUT", "/-/package/{}/dist-tags/next", id="tag"),
    pytest.param("POST", "/-/package/{}/dist-tags/next", id="tag, by POST"),
    pytest.param("DELETE", "/-/package/{}/dist-tags/next", id="untag"),
]
NO_ROUTES = [
    pytest.param("GET", "/-/npm/v1/attestations/{}@1.0.0", id="attestations"),
    pytest.param("GET", "/-/nproxy/explain/{}", id="explain"),
    pytest.param("PUT", "/-/user/package/{}/star", id="star"),
    pytest.param("GET", "/-/stage/package/{}", id="stage"),
    pytest.param("GET", "/{}/a/b/c", id="no path at all"),
    pytest.param("POST", "/-/package/{}/trust", id="trust"),
]


def ask(client: Client, method: str, path: str, name: str, **how: Any) -> Response:
    path, _, query = path.format(name.replace("/", "%2f"), base=name.partition("/")[2]).partition("?")
    return client.ask(method, BASE + path, query=query, json={} if method in ("PUT", "POST") else None, **how)


@pytest.mark.parametrize(("method", "path"), [*READS, *WRITES, *NO_ROUTES])
@pytest.mark.parametrize("name", ["@acme/secret", "@acme/absent", "@tools/web-cli"])
def test_another_package_is_refused_on_every_route(tenants: PlatformFixture, method: str, path: str, name: str) -> None:
    """403 with the reason, where npm prints it too, whether the package exists or not."""
    answer = ask(restricted(tenants, packages=["@acme/web-*"]), method, path, name)
    assert answer.status == 403
    assert "This token is only for @acme/web-*" in answer.headers["npm-notice"]
    if method != "HEAD":
        assert answer.code == "package-not-allowed"
        assert answer.error == answer.headers["npm-notice"]
        assert name not in answer.error


@pytest.mark.parametrize(("method", "path"), READS)
def test_its_own_package_is_read(tenants: PlatformFixture, method: str, path: str) -> None:
    """By every route, as with a token without restrictions."""
    mine, other = restricted(tenants, packages=["@acme/web-*"]), tenants.client("acme")
    answer = ask(mine, method, path, "@acme/web-ui")
    assert answer.status == ask(other, method, path, "@acme/web-ui").status == 200


def test_its_own_package_is_published_tagged_and_removed(tenants: PlatformFixture) -> None:
    """A new package, too, when its name fits."""
    client = restricted(tenants, packages=["@acme/new-*"])
    path = f"{BASE}/@acme%2fnew-one"
    assert client.put(path, publish_document("@acme/new-one", "1.0.0")).status == 201
    assert client.put(f"{BASE}/-/package/@acme%2fnew-one/dist-tags/next", "1.0.0").status == 201
    assert client.delete(f"{path}/-rev/{client.get(path).json['_rev']}").status == 200


def test_a_restriction_gives_no_right(tenants: PlatformFixture) -> None:
    """The scopes of the token still decide what it may do to its packages."""
    client = restricted(tenants, "proxy", packages=["@acme"])
    assert client.put(f"{BASE}/@acme%2fweb-ui", publish_document("@acme/web-ui", "2.0.0")).code == "missing-scope"


@pytest.mark.parametrize(
    ("packages", "text", "found"),
    [
        pytest.param(["@acme/web-*"], "", ["@acme/web-ui"], id="everything"),
        pytest.param(["@acme/web-*"], "web", ["@acme/web-ui"], id="a word"),
        pytest.param(["@acme/web-*"], "secret", [], id="a word of another"),
        pytest.param(["@tools"], "web", ["@tools/web-cli"], id="a scope"),
        pytest.param(["@acme/secret", "@tools"], "", ["@acme/secret", "@tools/web-cli"], id="several"),
        pytest.param(["@acme/web-*"], "scope:tools", [], id="another scope"),
    ],
)
def test_search_finds_no_other_package(
    tenants: PlatformFixture, packages: list[str], text: str, found: list[str]
) -> None:
    """Neither among the results nor in their number."""
    answer = restricted(tenants, packages=packages).get(f"{BASE}/-/v1/search", query=f"text={text}").json
    assert sorted(one["package"]["name"] for one in answer["objects"]) == found
    assert answer["total"] == len(found)


def test_what_is_no_internal_package_stays_open(tenants: PlatformFixture) -> None:
    """A project of one package needs the public ones too, and its token asks who it is."""
    client = restricted(tenants, packages=["@acme/web-*"])
    assert client.get(f"{BASE}/-/whoami").status == client.get(f"{BASE}/-/ping").status == 200
    assert client.get(f"{BASE}/lodash").status == 404  # of the upstream, which was asked
    assert any(target.endswith("lodash") for _, target, _, _ in tenants.upstream.asked)


EVERY_DOOR = [
    *READS,
    *WRITES,
    pytest.param("GET", "/-/whoami", id="whoami"),
    pytest.param("GET", "/-/ping", id="ping"),
    pytest.param("GET", "/-/v1/search?text=web", id="search"),
    pytest.param("GET", "/-/npm/v1/keys", id="keys"),
    pytest.param("GET", "/-/npm/v1/tokens", id="own token"),
    pytest.param("DELETE", "/-/npm/v1/tokens/token/x", id="its end"),
    pytest.param("GET", "/lodash", id="public packument"),
    pytest.param("GET", "/lodash/-/lodash-1.0.0.tgz", id="public tarball"),
    pytest.param("PUT", "/lodash", id="public publish"),
    pytest.param("POST", "/-/npm/v1/security/advisories/bulk", id="audit"),
]


@pytest.mark.parametrize(("method", "path"), EVERY_DOOR)
def test_another_address_is_refused_at_every_door(tenants: PlatformFixture, method: str, path: str) -> None:
    """403, public reads included; the sentence names the caller's address, not those that are allowed."""
    tenants.upstream.asked.clear()
    client = restricted(tenants, addresses=["198.51.100.0/24", "2001:db8::/32"])
    answer = ask(client, method, path, "@acme/web-ui")
    assert answer.status == 403
    assert answer.headers["npm-notice"] == f"This token may not be used from {HERE}: ask for one that may be."
    assert tenants.upstream.asked == []
    if method != "HEAD":
        assert (answer.code, answer.error) == ("address-not-allowed", answer.headers["npm-notice"])


@pytest.mark.parametrize("ip", [ELSEWHERE, "::ffff:198.51.100.9", "2001:db8:1::2"])
def test_its_own_address_is_let_through(tenants: PlatformFixture, ip: str) -> None:
    """IPv4, IPv4 within IPv6, and IPv6."""
    client = restricted(tenants, addresses=["198.51.100.0/24", "2001:db8::/32"])
    assert client.get(f"{BASE}/@acme%2fweb-ui", environ={"REMOTE_ADDR": ip}).status == 200


@pytest.mark.parametrize("ip", ["", "unix:", None])
def test_no_address_is_none_of_them(tenants: PlatformFixture, ip: str | None) -> None:
    """A server on a socket without addresses must be told the client's by its proxy."""
    client = restricted(tenants, addresses=["0.0.0.0/0", "::/0"])
    answer = client.get(f"{BASE}/-/whoami", environ={"REMOTE_ADDR": ip})
    assert answer.error == "This token may not be used from an unknown address: ask for one that may be."


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP", "Forwarded", "X_Client_IP", "CF_Connecting_IP"])
def test_a_header_is_no_address(tenants: PlatformFixture, header: str) -> None:
    """Only the server, which knows its proxies, says where a request comes from."""
    client = restricted(tenants, addresses=[ELSEWHERE])
    assert client.get(f"{BASE}/-/whoami", **{header: ELSEWHERE}).code == "address-not-allowed"


def test_a_request_for_an_exception_is_refused_too(tenants: PlatformFixture) -> None:
    """The one door of the management API that an API token opens."""
    path, wanted = "/api/v1/orgs/acme/exceptions/requests", {"package": "axios", "reason": "needed"}
    client = restricted(tenants, addresses=[ELSEWHERE])
    assert client.post(path, wanted).code == "address-not-allowed"
    assert client.post(path, wanted, environ={"REMOTE_ADDR": ELSEWHERE}).status == 201


def test_npm_token_list_shows_the_ranges(tenants: PlatformFixture) -> None:
    """In the field that npm has for them."""
    (shown,) = restricted(tenants, addresses=["192.0.2.0/24"]).get(f"{BASE}/-/npm/v1/tokens").json["objects"]
    assert shown["cidr_whitelist"] == ["192.0.2.0/24"]


def test_a_publish_by_address_alone(tenants: PlatformFixture) -> None:
    """Both restrictions at once: each has to fit."""
    client = restricted(tenants, packages=["@acme/both"], addresses=[HERE])
    document = publish_document("@acme/both", "1.0.0")
    assert client.put(f"{BASE}/@acme%2fboth", document, environ={"REMOTE_ADDR": ELSEWHERE}).status == 403
    assert client.put(f"{BASE}/@acme%2fboth", document).status == 201
    assert publish(client, "@acme/other").status == 404  # of no organization
