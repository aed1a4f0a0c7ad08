"""InternalStore, in the whole stack between validators: what npm asks for internal packages, and what it is told."""

from __future__ import annotations

import gzip
import hashlib
import json
from base64 import b64decode

import pytest
from support.client import ABBREVIATED, Client
from support.registry import ACTOR, RegistryFixture, publish

from nproxy_mw.http import messages
from nproxy_mw.middleware.internal_store import meta
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Kind
from nproxy_mw.stack import front_page, layers, stack
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.upstream.responses import UpstreamResponse

UTILS = "/@acme%2futils"
TARBALL = "/@acme/utils/-/utils-1.0.0.tgz"
INSTALL = f"{ABBREVIATED}; q=1.0, application/json; q=0.8, */*"
READS = (UTILS, "/@acme/utils/1.0.0", "/@acme/utils/latest", TARBALL, "/-/package/@acme%2futils/dist-tags")
LONG = {"description": "long " * 400, "dependencies": {f"dependency-{number}": "1.0.0" for number in range(60)}}


@pytest.fixture
def client(acme: RegistryFixture) -> Client:
    """One package with one version, and a client that may do everything."""
    client = acme.client()
    assert publish(client, package_json=LONG).status == 201
    return client


def rev(client: Client) -> str:
    return str(client.get(UTILS, query="write=true").json["_rev"])


def changed(client: Client, path: str = UTILS, **change):
    """Puts the packument as npm deprecate and unpublish do: read, changed, put back."""
    return client.put(path, {**client.get(UTILS, query="write=true").json, **change})


# Reading


def test_full_packument_has_what_npm_needs(client):
    """Everything that clients were seen to need stands in the full form."""
    packument = client.get(UTILS).json
    assert packument["_id"] == packument["name"] == "@acme/utils"
    assert packument["dist-tags"] == {"latest": "1.0.0"}
    assert packument["_rev"].startswith("1-")
    assert packument["time"].keys() == {"created", "modified", "1.0.0"}
    assert packument["maintainers"] == [{"name": "ann", "email": ""}]
    manifest = packument["versions"]["1.0.0"]
    assert manifest["_npmUser"] == {"name": "ann", "email": ""}
    assert manifest["dist"]["tarball"] == "http://registry.example/@acme/utils/-/utils-1.0.0.tgz"
    assert manifest["dist"].keys() >= {"integrity", "shasum", "fileCount", "unpackedSize", "signatures"}


def test_abbreviated_packument_is_for_installs(acme):
    """The short form has its own type, time and modified, and says when an install runs scripts."""
    client = acme.client()
    scripts = {"scripts": {"postinstall": "node x.js"}, "homepage": "https://acme.example"}
    assert publish(client, package_json=scripts).status == 201
    response = client.get(UTILS, Accept=INSTALL)
    assert response.headers["content-type"] == ABBREVIATED
    short, full = response.json, client.get(UTILS).json
    assert short.keys() == {"name", "dist-tags", "time", "modified", "versions"}
    assert short["modified"] == short["time"]["modified"] == full["time"]["modified"]
    manifest = short["versions"]["1.0.0"]
    assert manifest["hasInstallScript"] is True
    assert manifest["dist"] == full["versions"]["1.0.0"]["dist"]
    assert not {"scripts", "homepage", "_id"} & manifest.keys()


@pytest.mark.parametrize("path", [UTILS, "/@acme%2Futils", "/@acme/utils", "/%40acme%2futils"])
def test_every_spelling_of_the_name_is_the_package(client, path):
    """npm, pnpm and yarn encode the slash in three ways."""
    assert client.get(path).json["name"] == "@acme/utils"


@pytest.mark.parametrize("which", ["1.0.0", "latest"])
def test_one_version_is_found_by_number_and_tag(client, which):
    """Corepack asks so."""
    manifest = client.get(f"/@acme/utils/{which}").json
    assert manifest["version"] == "1.0.0"
    assert manifest["dist"]["tarball"].endswith(TARBALL)


def test_tarball_is_the_bytes_that_were_published(client):
    """The stored bytes come back, as no page and for good."""
    document = publish_document("@acme/utils", "1.0.0", package_json=LONG)
    response = client.get(TARBALL)
    assert response.body == b64decode(document["_attachments"]["@acme/utils-1.0.0.tgz"]["data"])
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in response.headers["cache-control"]
    assert "content-encoding" not in response.headers
    assert client.get("/@acme%2futils/-/utils-1.0.0.tgz").body == response.body


def test_tarball_goes_through_the_servers_own_file_wrapper(client, monkeypatch):
    """A server's wsgi.file_wrapper sends a file that is not small, and gets it open."""
    monkeypatch.setattr(messages, "ONE_PIECE", 0)
    wrapped = []

    class Wrapper:
        def __init__(self, stream, size):
            wrapped.append((stream, size))
            self.stream = stream

        def __iter__(self):
            return iter([self.stream.read()])

        def close(self):
            self.stream.close()

    assert client.get(TARBALL, environ={"wsgi.file_wrapper": Wrapper}).status == 200
    assert wrapped[0][0].closed


def test_tarballs_file_is_closed_with_the_answer(client, acme, monkeypatch):
    """No way of asking leaves a file open."""
    opened = []
    packages = type(acme.packages)
    real = packages.open_tarball

    def spy(self, name, filename):
        opened.append(real(self, name, filename))
        return opened[-1]

    monkeypatch.setattr(packages, "open_tarball", spy)
    etag = client.get(TARBALL).headers["etag"]
    client.head(TARBALL)
    client.get(TARBALL, If_None_Match=etag)
    assert [one.stream.closed for one in opened] == [True, True, True]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    "headers", [{}, {"Accept": INSTALL}, {"Accept_Encoding": "gzip"}], ids=["plain", "short", "gzip"]
)
def test_head_says_what_get_says(client, path, headers):
    """HEAD has the headers of GET, to the last one, and no body."""
    got, head = client.get(path, **headers), client.head(path, **headers)
    assert (head.status, head.body, head.headers) == (got.status, b"", got.headers)


@pytest.mark.parametrize("path", READS)
def test_unchanged_is_304(client, path):
    """What a client has is not sent again, and the answer says which it has."""
    etag = client.get(path).headers["etag"]
    for header in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        response = client.get(path, If_None_Match=header)
        assert (response.status, response.headers["etag"]) == (304, etag)
        assert client.head(path, If_None_Match=header).status == 304
    assert client.get(path, If_None_Match='"x"').status == 200


def test_every_representation_has_its_own_etag(client):
    """Form, encoding and place make other bytes, so other ETags; and the same twice is the same."""
    asked = [
        {"Accept": accept, "Accept_Encoding": encoding, "Host": host}
        for accept in ("application/json", INSTALL)
        for encoding in ("identity", "gzip")
        for host in ("registry.example", "other.example:8080")
    ]
    etags = [client.get(UTILS, **headers).headers["etag"] for headers in asked]
    assert len(set(etags)) == len(asked)
    assert etags == [client.get(UTILS, **headers).headers["etag"] for headers in asked]
    for header, other in zip(etags, [*asked[1:], asked[0]], strict=True):
        assert client.get(UTILS, **other, If_None_Match=header).status == 200


def test_change_makes_another_etag(client):
    """A 304 never hides a new version."""
    before = client.get(UTILS, Accept=INSTALL).headers["etag"]
    assert publish(client, version="1.1.0").status == 201
    response = client.get(UTILS, Accept=INSTALL, If_None_Match=before)
    assert response.json["versions"].keys() == {"1.0.0", "1.1.0"}


@pytest.mark.parametrize("path", [UTILS, "/@acme/utils/1.0.0"])
def test_gzip_is_the_same_document(client, path):
    """Encoded and plain say the same, and caches are told what they depend on."""
    plain, encoded = client.get(path), client.get(path, Accept_Encoding="gzip,deflate")
    assert encoded.headers["content-encoding"] == "gzip"
    assert gzip.decompress(encoded.body) == plain.body
    assert len(encoded.body) < len(plain.body)
    for response in (plain, encoded, client.get(path, If_None_Match=plain.headers["etag"])):
        assert response.headers["vary"] == "Accept, Accept-Encoding, Authorization, npm-command"
        assert response.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("host", ["evil<", "a b", "a/../b", "x@y"])
def test_host_that_is_none_is_400(client, host):
    """No URL is made of what is no host."""
    assert (client.get(UTILS, Host=host).status, client.get(UTILS, Host=host).code) == (400, "invalid-host")
    assert client.get(UTILS, Host="[::1]:4874").json["versions"]["1.0.0"]["dist"]["tarball"].startswith("http://[::1]")


def test_public_url_is_where_tarballs_are():
    """A configured URL is the one in every form, whatever Host says."""
    acme = RegistryFixture(public_url="https://npm.acme.example/r/")
    client = acme.client()
    assert publish(client).status == 201
    for accept in ("*/*", INSTALL):
        url = client.get(UTILS, Accept=accept, Host="x<").json["versions"]["1.0.0"]["dist"]["tarball"]
        assert url == "https://npm.acme.example/r/@acme/utils/-/utils-1.0.0.tgz"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/@acme%2fother", "package-not-found", id="package"),
        pytest.param("/@acme/other/1.0.0", "package-not-found", id="version of an absent package"),
        pytest.param("/-/package/@acme%2fother/dist-tags", "package-not-found", id="tags of an absent package"),
        pytest.param("/@acme/other/-/other-1.0.0.tgz", "package-not-found", id="tarball of an absent package"),
        pytest.param("/@acme/utils/2.0.0", "version-not-found", id="version"),
        pytest.param("/@acme/utils/next", "version-not-found", id="tag"),
        pytest.param("/@acme/utils/-/utils-2.0.0.tgz", "tarball-not-found", id="tarball"),
        pytest.param("/@acme/utils/-/other-1.0.0.tgz", "tarball-not-found", id="tarball of another name"),
        pytest.param("/@acme/utils/-/utils-1.0.0.tar", "tarball-not-found", id="no tgz"),
        pytest.param("/@acme/utils/-/1.0.0", "tarball-not-found", id="a version for a file"),
        pytest.param("/@acme/utils/-/record.json", "tarball-not-found", id="another file of the store"),
        pytest.param("/-/npm/v1/attestations/@acme/utils@1.0.0", "route-not-found", id="attestations"),
        pytest.param("/@acme/utils/some/where", "route-not-found", id="no route"),
        pytest.param("/-/package/@acme%2futils/nothing", "route-not-found", id="no aspect"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_absent_is_404_and_nobody_is_asked(client, acme, path, code, method):
    """What is internal and not there is not there, whatever the upstream has under that name."""
    response = client.ask(method, path)
    assert response.status == 404
    assert method == "HEAD" or response.code == code
    assert acme.upstream.asked == []


def test_unpublished_package_is_an_absent_one(client):
    """Gone and never been there look the same."""
    assert client.delete(f"{UTILS}/-rev/{rev(client)}").status == 200
    for path in READS:
        gone, absent = client.get(path), client.get(path.replace("utils", "never"))
        assert gone.status == 404
        assert path == TARBALL or (gone.error, gone.code) == (absent.error, absent.code)


@pytest.mark.parametrize("aspect", ["visibility", "access"])
@pytest.mark.parametrize("grant", ["proxy", "publish"])
def test_packages_are_not_public(acme, client, grant, aspect):
    """What npm and pnpm ask: pnpm takes a package without 'access' for public."""
    found = acme.client(grant).get(f"/-/package/@acme%2futils/{aspect}").json
    assert found == {"public": False, "access": "restricted"}
    assert acme.client(grant).get(f"/-/package/@acme%2fabsent/{aspect}").status == 404


@pytest.mark.parametrize(
    ("grants", "name", "expected"),
    [
        pytest.param(["publish"], "ci", {"ann": "write", "ci": "write"}, id="may publish, has not yet"),
        pytest.param(["proxy"], "ci", {"ann": "write", "ci": "read"}, id="may read"),
        pytest.param(["proxy"], "ann", {"ann": "read"}, id="a publisher's name, on a token that may read"),
        pytest.param(["proxy", "publish"], "ann", {"ann": "write"}, id="has published"),
    ],
)
def test_collaborators_are_the_publishers_and_who_asks(acme, client, grants, name, expected):
    """Publishing tools refuse a token whose name they do not find there, or find without the right to write."""
    asking = Client(acme.app, acme.token(*grants, name=name))
    assert asking.get("/-/package/@acme%2futils/collaborators").json == expected


# Who may


@pytest.mark.parametrize("path", [*READS, "/@acme%2fother"])
@pytest.mark.parametrize("public", [True, False])
def test_reading_needs_proxy(public, path):
    """Internal packages are read with the scope proxy, whatever publicReads says; absent ones tell no more."""
    acme = RegistryFixture(publicReads=public)
    assert publish(acme.client()).status == 201
    stranger = acme.stranger().get(path)
    assert stranger.status == 401
    assert stranger.headers["www-authenticate"].startswith("Bearer ")
    assert acme.stranger().get(path, Authorization="Bearer npm_x").status == 401
    refused = acme.client("publish").get(path)
    assert (refused.status, refused.code) == (403, "missing-scope")
    assert acme.client("proxy").get(path).status == (404 if "other" in path else 200)
    assert acme.client("publish").get(path, If_None_Match="*").status == 403
    assert acme.stranger().head(path).status == 401
    assert acme.upstream.asked == []


def test_publisher_may_read_what_it_changes(client, acme):
    """npm reads with ?write=true before it deprecates or unpublishes: publish is enough for that."""
    publisher = acme.client("publish")
    assert publisher.get(UTILS, query="write=true").status == 200
    assert publisher.get(UTILS, query="write=false").status == 403
    assert publisher.delete(f"{UTILS}/-rev/{rev(publisher)}").status == 200


CHANGES = [
    ("PUT", UTILS, publish_document("@acme/utils", "2.0.0")),
    ("PUT", "/@acme%2fnew", publish_document("@acme/new", "1.0.0")),
    ("PUT", f"{UTILS}/-rev/1-x", {"versions": {}}),
    ("DELETE", f"{UTILS}/-rev/1-x", None),
    ("DELETE", f"{TARBALL}/-rev/1-x", None),
    ("PUT", "/-/package/@acme%2futils/dist-tags/next", "1.0.0"),
    ("POST", "/-/package/@acme%2futils/dist-tags/next", "1.0.0"),
    ("DELETE", "/-/package/@acme%2futils/dist-tags/next", None),
    ("POST", UTILS, {}),
    ("PATCH", UTILS, {}),
    ("DELETE", UTILS, None),
    ("POST", "/-/package/@acme%2futils/access", {}),
    ("PUT", "/-/package/@acme%2futils/owners", {}),
    ("POST", "/-/stage/package/@acme%2futils", {}),
]


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
@pytest.mark.parametrize(("method", "path", "document"), CHANGES, ids=[f"{one[0]} {one[1]}" for one in CHANGES])
def test_changing_needs_publish(client, acme, method, path, document):
    """No verb but GET and HEAD does anything without the scope publish, and nothing is stored."""
    before = (
        acme.stored(),
        acme.storage.read("orgs/default/packages/@acme/utils/record.json").data,
    )
    assert acme.stranger().ask(method, path, json=document).status == 401
    assert acme.stranger().ask(method, path, json=document, Authorization="Bearer npm_x").status == 401
    assert acme.client("proxy").ask(method, path, json=document).status == 403
    assert before == (
        acme.stored(),
        acme.storage.read("orgs/default/packages/@acme/utils/record.json").data,
    )
    assert acme.upstream.asked == []


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        pytest.param("POST", UTILS, 405, "GET, HEAD, PUT", id="POST a packument"),
        pytest.param("DELETE", UTILS, 405, "GET, HEAD, PUT", id="DELETE without a revision"),
        pytest.param("PATCH", UTILS, 405, "GET, HEAD, PUT", id="PATCH"),
        pytest.param("PUT", TARBALL, 405, "GET, HEAD", id="PUT a tarball"),
        pytest.param("GET", f"{UTILS}/-rev/1-x", 405, "PUT, DELETE", id="GET a revision"),
        pytest.param("PUT", "/@acme/utils/1.0.0", 405, "GET, HEAD", id="PUT a version"),
        pytest.param("POST", "/-/ping", 405, "GET, HEAD", id="POST ping"),
        pytest.param("DELETE", "/-/v1/search", 405, "GET, HEAD", id="DELETE search"),
    ],
)
def test_verb_that_is_not_offered_is_405(client, method, path, status, allow):
    """The answer says which are."""
    response = client.ask(method, path, json={} if method != "GET" else None)
    assert (response.status, response.headers["allow"]) == (status, allow)


# Publishing


def test_publish_answers_201(acme):
    """npm takes any 2xx; yarn classic takes an error member for failure."""
    response = publish(acme.client())
    assert (response.status, response.json) == (201, {"ok": True})


@pytest.mark.parametrize("files", [{}, {"other.js": "1"}], ids=["the same bytes", "other bytes"])
def test_existing_version_is_409(client, acme, files):
    """At once, and with the sentence that tools look for; nothing changes."""
    before = acme.stored()
    response = publish(client, package_json=LONG, files=files)
    assert (response.status, response.code) == (409, "version-exists")
    assert "cannot publish over the previously published version" in response.error
    assert acme.stored() == before


def test_build_metadata_makes_no_other_version(client):
    """npm compares versions without it: 1.0.0+a would hide 1.0.0."""
    assert publish(client, version="1.0.0+a").status == 409
    assert publish(client, version="2.0.0+a").status == 201
    assert publish(client, version="2.0.0").status == 409
    assert client.get("/@acme/utils/-/utils-2.0.0+a.tgz").status == 200
    assert client.get("/@acme/utils/2.0.0+a").json["version"] == "2.0.0+a"


def test_numbers_are_burnt_by_unpublishing(client):
    """A version that was once there is never given again, also with other build metadata; others are."""
    assert client.delete(f"{UTILS}/-rev/{rev(client)}").status == 200
    assert publish(client).status == 409
    assert publish(client, version="1.0.0+x").status == 409
    assert publish(client, version="1.0.1").status == 201
    assert client.get(UTILS).json["versions"].keys() == {"1.0.1"}


def test_publish_is_taken_gzipped_and_in_chunks(acme):
    """However the body travels, it is the document."""
    client = acme.client()
    for number, how in enumerate([{}, {"chunked": True}, {"gzip": True}, {"gzip": True, "chunked": True}]):
        document = publish_document("@acme/utils", f"1.{number}.0")
        body = json.dumps(document).encode()
        headers = {"Content_Encoding": "gzip"} if how.pop("gzip", False) else {}
        sent = gzip.compress(body) if headers else body
        assert client.ask("PUT", UTILS, body=sent, **how, **headers).status == 201
    assert len(client.get(UTILS).json["versions"]) == 4


@pytest.mark.parametrize("access", [None, "public", "restricted"])
def test_access_changes_nothing(acme, access):
    """npm, yarn 4 and pnpm send each of them."""
    document = {**publish_document("@acme/utils", "1.0.0"), "access": access}
    client = acme.client()
    assert client.put(UTILS, document).status == 201
    assert "access" not in client.get(UTILS).json


def test_who_publishes_is_the_tokens_name_never_the_documents(acme):
    """What only a registry may say is never taken from a client."""
    lies = {
        "_npmUser": {"name": "root", "email": "x"},
        "dist": {**publish_document("@acme/utils", "1.0.0")["versions"]["1.0.0"]["dist"], "signatures": [{"sig": "x"}]},
        "_resolved": "/home/ann/utils.tgz",
        "custom": {"kept": [1, "é"]},
    }
    document = publish_document("@acme/utils", "1.0.0", manifest=lies)
    document |= {"time": {"created": "1999-01-01T00:00:00.000Z"}, "_rev": "9-x", "maintainers": [{"name": "root"}]}
    client = acme.client()
    assert client.put(UTILS, document).status == 201
    packument = client.get(UTILS).json
    manifest = packument["versions"]["1.0.0"]
    assert manifest["_npmUser"]["name"] == "ann"
    assert [one["name"] for one in packument["maintainers"]] == ["ann"]
    assert all(signature["sig"] != "x" for signature in manifest["dist"]["signatures"])
    assert packument["time"]["created"] > "2026"
    assert manifest["custom"] == {"kept": [1, "é"]}
    assert "_resolved" not in manifest
    assert manifest["dist"]["tarball"].startswith("http://registry.example/")


def test_scope_that_is_no_longer_internal_is_the_upstreams(client, acme):
    """Settings decide at each request; what is stored stays stored."""
    acme.organization.settings.change({"internalScopes": []}, actor=ACTOR)
    assert client.get(UTILS).status == 404
    assert [target for _, target, _, _ in acme.upstream.asked] == [UTILS]


# Changing what is there


def test_dist_tags(client):
    """ls, add, move and rm, as npm dist-tag asks them."""
    tags = "/-/package/@acme%2futils/dist-tags"
    assert publish(client, version="2.0.0-beta.1", tag="next").status == 201
    assert client.get(tags).json == {"latest": "1.0.0", "next": "2.0.0-beta.1"}
    assert client.put(f"{tags}/stable", "1.0.0").status == 201
    assert client.post(f"{tags}/next", "1.0.0").status == 201
    assert client.get(tags).json == {"latest": "1.0.0", "next": "1.0.0", "stable": "1.0.0"}
    assert client.delete(f"{tags}/stable").status == 200
    assert client.get(UTILS).json["dist-tags"] == {"latest": "1.0.0", "next": "1.0.0"}


@pytest.mark.parametrize(
    ("method", "tag", "body", "status"),
    [
        pytest.param("PUT", "next", "9.9.9", 404, id="absent version"),
        pytest.param("PUT", "next", "__proto__", 404, id="no version"),
        pytest.param("PUT", "1.0.0", "1.0.0", 400, id="a version for a tag"),
        pytest.param("PUT", "1.x", "1.0.0", 400, id="a range for a tag"),
        pytest.param("PUT", "__proto__", "1.0.0", 400, id="__proto__"),
        pytest.param("PUT", "next", {"version": "1.0.0"}, 400, id="an object"),
        pytest.param("PUT", "next", ["1.0.0"], 400, id="a list"),
        pytest.param("PUT", "next", 1, 400, id="a number"),
        pytest.param("PUT", "next", "1" * 5000, 413, id="long"),
        pytest.param("DELETE", "latest", None, 400, id="latest stays"),
        pytest.param("DELETE", "none", None, 404, id="absent tag"),
    ],
)
def test_dist_tag_that_will_not_do(client, acme, method, tag, body, status):
    """Each is refused with its reason, and nothing changes."""
    before = client.get(UTILS).body
    assert client.ask(method, f"/-/package/@acme%2futils/dist-tags/{tag}", json=body).status == status
    assert client.get(UTILS).body == before


def test_dist_tag_without_a_json_body_is_400(client):
    """A bare word is no JSON string."""
    assert client.put("/-/package/@acme%2futils/dist-tags/next", body=b"1.0.0").status == 400
    assert client.put("/-/package/@acme%2futils/dist-tags/next").status == 400


def test_deprecate_and_undeprecate(client):
    """npm deprecate puts the whole packument with a message, and with an empty one to take it away."""
    versions = client.get(UTILS).json["versions"]
    versions["1.0.0"]["deprecated"] = "use 2"
    assert changed(client, versions=versions).status == 200
    assert client.get(UTILS, Accept=INSTALL).json["versions"]["1.0.0"]["deprecated"] == "use 2"
    versions["1.0.0"]["deprecated"] = ""
    assert changed(client, versions=versions).status == 200
    assert "deprecated" not in client.get(UTILS).json["versions"]["1.0.0"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda it: it.update(name="@acme/other"), id="name"),
        pytest.param(lambda it: it.update(_id="@acme/other"), id="_id"),
        pytest.param(lambda it: it["versions"]["1.0.0"].update(scripts={"install": "evil"}), id="scripts"),
        pytest.param(lambda it: it["versions"]["1.0.0"]["dist"].update(integrity="sha512-x"), id="integrity"),
        pytest.param(lambda it: it["versions"]["1.0.0"].update(deprecated="x" * 16385), id="endless message"),
        pytest.param(lambda it: it["versions"]["1.0.0"].update(deprecated=1), id="no message"),
        pytest.param(lambda it: it["versions"].update({"2.0.0": {}}), id="new version"),
        pytest.param(lambda it: it.update({"dist-tags": {"latest": "9.9.9"}}), id="dist-tags"),
    ],
)
def test_what_cannot_be_changed_is_refused(client, acme, change):
    """An "ok" to something that was not done would be a lie; nothing of the document is taken."""
    before = acme.packages.record(Name("@acme", "utils"))
    packument = client.get(UTILS, query="write=true").json
    packument["versions"]["1.0.0"]["deprecated"] = "old"
    change(packument)
    refused = client.put(UTILS, packument)
    assert (refused.status, refused.code) == (400, "invalid-revision")
    assert acme.packages.record(Name("@acme", "utils")) == before


def test_tarball_urls_of_a_deprecation_do_not_matter(client):
    """They are made for each answer anew, so a client may have read others."""
    packument = client.get(UTILS, query="write=true").json
    packument["versions"]["1.0.0"]["deprecated"] = "old"
    packument["versions"]["1.0.0"]["dist"]["tarball"] = "http://elsewhere.example/x.tgz"
    assert client.put(UTILS, packument).status == 200
    assert client.get(UTILS).json["versions"]["1.0.0"]["deprecated"] == "old"


def test_putting_back_what_was_read_changes_nothing(client, acme):
    """No event tells of a change that was none; a star, which pnpm sends so, is 405."""
    before = acme.packages.record(Name("@acme", "utils"))
    assert changed(client).status == 200
    assert changed(client, f"{UTILS}/-rev/{rev(client)}", users={"ann": True}).status == 405
    assert acme.packages.record(Name("@acme", "utils")) == before


def test_deprecated_false_in_package_json_is_no_obstacle(acme):
    """A package.json may say "deprecated": false; the other versions can be deprecated all the same."""
    client = acme.client()
    assert publish(client, package_json={"deprecated": False}).status == 201
    assert publish(client, version="2.0.0").status == 201
    versions = client.get(UTILS).json["versions"]
    versions["2.0.0"]["deprecated"] = "use 1"
    assert changed(client, versions=versions).status == 200
    assert client.get(UTILS).json["versions"]["2.0.0"]["deprecated"] == "use 1"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"versions": []}, id="a list"),
        pytest.param({"versions": {}}, id="none"),
        pytest.param({"versions": {"1.0.0": "x"}}, id="no manifest"),
        pytest.param({"versions": {"1.0.0": {"deprecated": True}}}, id="a message that is no text"),
        pytest.param({"versions": {"1.0.0": {"deprecated": ["x"]}}}, id="a message that is a list"),
        pytest.param({"versions": {"1.0.0": {}, "2.0.0": {}}}, id="a version without a tarball"),
    ],
)
def test_changed_packument_that_will_not_do_is_400(client, change):
    """Each is refused, and nothing changes."""
    before = client.get(UTILS).body
    assert changed(client, **change).status == 400
    assert client.get(UTILS).body == before


@pytest.mark.parametrize("path", [UTILS, f"{UTILS}/-rev/1-x"])
def test_owners_and_stars_are_405(client, path):
    """npm owner and npm star put parts of a packument: never 404, which would read as success."""
    for document in ({"_id": "@acme/utils", "users": {"ann": True}}, {"_id": "@acme/utils", "maintainers": []}):
        assert client.put(path, document).status == 405


def test_stale_revision_is_409(client):
    """Whoever changes what they read before another's change is told to read again."""
    old = client.get(UTILS, query="write=true").json
    assert publish(client, version="1.1.0").status == 201
    old["versions"]["1.0.0"]["deprecated"] = "x"
    for response in (client.put(UTILS, old), client.delete(f"{UTILS}/-rev/{old['_rev']}")):
        assert (response.status, response.code) == (409, "stale-revision")
    assert client.delete(f"{UTILS}/-rev/undefined").status == 409
    assert client.get(UTILS).json["versions"].keys() == {"1.0.0", "1.1.0"}


def test_stale_document_is_409_whatever_it_says():
    """What differs may be another's change: no version is taken for missing, unknown or to be unpublished."""
    client = RegistryFixture(versionUnpublish=True).client()
    for version in ("1.0.0", "1.1.0"):
        assert publish(client, version=version).status == 201
    before = client.get(UTILS, query="write=true").json
    document = without(client, "1.1.0")
    assert client.put(f"{UTILS}/-rev/{document['_rev']}", document).status == 200
    for stale in (before, document, {**before, "versions": {"9.9.9": {}}}):
        assert client.put(UTILS, stale).code == "stale-revision"
        assert client.put(f"{UTILS}/-rev/{stale['_rev']}", stale).code == "stale-revision"
    assert client.get(UTILS).json["versions"].keys() == {"1.0.0"}


def test_unpublish_takes_all_of_it(client, acme):
    """The packument and every tarball are gone, and nothing but the record of it stays."""
    assert publish(client, version="1.1.0").status == 201
    assert client.delete(f"{UTILS}/-rev/{rev(client)}").status == 200
    assert acme.stored() == ["packages/@acme/utils/record.json"]
    assert [client.get(path).status for path in READS] == [404] * len(READS)
    assert client.delete(f"{UTILS}/-rev/1-x").status == 404


def without(client: Client, version: str):
    """The document that npm unpublish of one version puts."""
    packument = client.get(UTILS, query="write=true").json
    del packument["versions"][version]
    packument["dist-tags"] = {tag: at for tag, at in packument["dist-tags"].items() if at != version}
    return packument


def test_unpublishing_one_version_is_405(client):
    """It is recognised, and refused with a sentence; never 404, which npm takes for success."""
    assert publish(client, version="1.1.0").status == 201
    document = without(client, "1.1.0")
    for response in (
        client.put(UTILS, document),
        client.put(f"{UTILS}/-rev/{document['_rev']}", document),
        client.put(f"{UTILS}/-rev/1-stale", document),
        client.delete(f"/@acme/utils/-/utils-1.1.0.tgz/-rev/{document['_rev']}"),
    ):
        assert (response.status, response.code) == (405, "version-unpublish-not-allowed")
        assert response.headers["allow"] == "GET, HEAD"
        assert "npm unpublish --force" in response.error
    assert client.get("/@acme/utils/1.1.0").status == 200


def test_unpublishing_one_version_where_it_is_allowed():
    """npm's whole sequence: put, read the new revision, delete the tarball."""
    acme = RegistryFixture(versionUnpublish=True)
    client = acme.client()
    for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
        assert publish(client, version=version).status == 201
    document = without(client, "1.1.0")
    assert client.delete(f"/@acme/utils/-/utils-1.1.0.tgz/-rev/{document['_rev']}").status == 400
    assert client.put(f"{UTILS}/-rev/{document['_rev']}", document).status == 200
    assert client.get("/@acme/utils/-/utils-1.1.0.tgz").status == 404
    assert client.delete(f"/@acme/utils/-/utils-1.1.0.tgz/-rev/{rev(client)}").status == 200
    packument = client.get(UTILS).json
    assert packument["versions"].keys() == {"1.0.0", "2.0.0-rc.1"}
    assert packument["dist-tags"]["latest"] == "2.0.0-rc.1"
    assert "1.1.0" not in packument["time"]
    assert publish(client, version="1.1.0").status == 409
    assert client.put(f"{UTILS}/-rev/{document['_rev']}", without(client, "1.0.0")).status == 409


# What is about no package


def test_ping_and_whoami(acme):
    """Ping is for everybody; whoami for holders of a token, by its name."""
    assert acme.stranger().get("/-/ping").json == {}
    assert acme.client("proxy").get("/-/whoami").json == {"username": "ann"}
    for stranger in (
        acme.stranger(),
        Client(acme.app, headers={"Authorization": "Bearer npm_x"}),
    ):
        response = stranger.get("/-/whoami")
        assert response.status == 401
        assert "www-authenticate" in response.headers
    assert "Authorization" in acme.client().get("/-/whoami").headers["vary"]


@pytest.fixture
def shelf(acme):
    """Three packages, one of them unpublished."""
    client = acme.client()
    assert (
        publish(client, "@acme/alpha", package_json={"description": "Reads Dates", "keywords": ["Clock"]}).status == 201
    )
    assert publish(client, "@acme/beta", version="2.0.0-rc.1", tag="next").status == 201
    assert publish(client, "@acme/gone").status == 201
    gone = client.get("/@acme%2fgone").json["_rev"]
    assert client.delete(f"/@acme%2fgone/-rev/{gone}").status == 200
    return client


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("text=", ["@acme/alpha", "@acme/beta"]),
        ("", ["@acme/alpha", "@acme/beta"]),
        ("text=acme", ["@acme/alpha", "@acme/beta"]),
        ("text=dates+READS", ["@acme/alpha"]),
        ("text=clock", ["@acme/alpha"]),
        ("text=gone", []),
        ("text=keywords:clock", ["@acme/alpha"]),
        ("text=scope:acme+not:deprecated&size=1", ["@acme/alpha"]),
        ("text=scope:other", []),
        ("text=a%2e*x", []),
        ("text=%ff", []),
        ("text=acme&size=1", ["@acme/alpha"]),
        ("text=acme&from=1", ["@acme/beta"]),
        ("text=acme&size=0", []),
        ("text=acme&from=99", []),
    ],
)
def test_search(shelf, query, found):
    """Every word must be in the name, the description or the keywords, as it is and in any case."""
    results = shelf.get("/-/v1/search", query=query).json
    assert [one["package"]["name"] for one in results["objects"]] == found


def test_search_result_has_what_npm_shows(shelf):
    """npm needs every member, maintainers included; without latest the newest version stands in."""
    alpha, beta = (one["package"] for one in shelf.get("/-/v1/search", query="text=acme").json["objects"])
    assert alpha["description"] == "Reads Dates"
    assert alpha["keywords"] == ["Clock"]
    assert alpha["maintainers"] == [{"username": "ann"}]
    assert alpha["publisher"] == {"username": "ann"}
    assert alpha["date"].endswith("Z")
    assert beta["version"] == "2.0.0-rc.1"


@pytest.mark.parametrize("query", ["from=-1", "size=x", "size=", "size=99999999999", "from=1.5", "text=" + "a" * 2048])
def test_search_that_cannot_be_read_is_400(shelf, query):
    """A number that is none, or more text than anybody types. An empty number counts as not given."""
    assert shelf.get("/-/v1/search", query=query).status == (200 if query.endswith("=") else 400)


def test_search_page_is_bounded(shelf, monkeypatch):
    """However many a client asks for."""
    monkeypatch.setattr(meta, "SEARCH_LIMIT", 1)
    found = shelf.get("/-/v1/search", query="text=acme&size=999999999").json
    assert (len(found["objects"]), found["total"]) == (1, 2)


def test_search_shows_what_the_token_may_read(shelf, acme):
    """Without the scope proxy nothing is found, and the words never go upstream."""
    for client in (acme.stranger(), acme.client("publish")):
        assert client.get("/-/v1/search", query="text=acme").json == {"objects": [], "total": 0}
    assert shelf.get("/-/v1/search", query="text=acme&size=1").json["total"] == 2
    assert acme.upstream.asked == []


def test_search_says_that_its_index_is_not_complete(shelf, acme, monkeypatch):
    """npm prints the notice: whoever misses a package knows why."""
    assert "npm-notice" not in shelf.get("/-/v1/search", query="text=acme").headers
    with acme.organization.search_index.database.writing() as connection:
        connection.execute("UPDATE state SET compared = NULL")
    monkeypatch.setattr(acme.organization.search_index._comparison, "start", lambda: None)
    response = shelf.get("/-/v1/search", query="text=acme")
    assert "not found yet" in response.headers["npm-notice"]
    assert response.json["total"] == 2


def test_audit_names_nothing_internal_upstream(client, acme):
    """Internal names are taken out of an audit before it goes up; without public ones nobody is asked."""
    body = {"@acme/utils": ["1.0.0"], "lodash": ["4.17.0"]}
    assert client.post("/-/npm/v1/security/advisories/bulk", {"@acme/utils": ["1.0.0"]}).json == {}
    assert acme.upstream.asked == []
    packed = gzip.compress(json.dumps(body).encode())
    assert client.ask("POST", "/-/npm/v1/security/advisories/bulk", body=packed, Content_Encoding="gzip").json == {}
    assert b"acme" not in acme.upstream.asked[0][3]
    assert b"lodash" in acme.upstream.asked[0][3]


def test_stored_bytes_are_what_the_digests_say(client, acme):
    """What is stored under a tarball's key is what its integrity names."""
    (key,) = [key for key in acme.stored() if key.startswith("tarballs/")]
    data = acme.organization.storage.read(key).data
    dist = client.get(UTILS).json["versions"]["1.0.0"]["dist"]
    assert hashlib.sha1(data, usedforsecurity=False).hexdigest() == dist["shasum"]


# Signing keys


class Upstream:
    """A transport whose keys a test decides."""

    upstream_url = "https://upstream.example"

    def __init__(self):
        self.asked = 0
        self.answer = (200, b'{"keys": [{"keyid": "SHA256:theirs"}]}')

    def send(self, method, target, headers=(), body=None):
        self.asked += 1
        status, document = self.answer
        return UpstreamResponse(status, [], lambda size: iter([document]))


@pytest.fixture
def keyed():
    """A registry with one package before such an upstream, and a clock for what is kept of its keys."""
    acme = RegistryFixture()
    assert publish(acme.client()).status == 201
    upstream = Upstream()
    found = layers(acme.organization, upstream)
    store = found.by_name["internal_store"](stack(found.by_name["forwarder"], on=front_page))
    hours = [0.0]
    store._meta[Kind.KEYS].find({"REQUEST_METHOD": "GET"}).__self__.monotonic = lambda: hours[0] * 3600
    return Client(stack(*list(found)[:3], on=store)), upstream, hours


KEYS = "/-/npm/v1/keys"


def test_keys_of_both_worlds_are_one_list(keyed):
    """npm stops at the first version whose key is not listed: ours stand beside the upstream's, for everybody."""
    client, _, _ = keyed
    ids = [key["keyid"] for key in client.get(KEYS).json["keys"]]
    assert ids[-1] == "SHA256:theirs"
    assert len(ids) == 3
    signed = client.get(UTILS, query="write=true")
    assert signed.status == 401


def test_our_own_keys_verify_what_is_served(acme, client):
    """Each signature's key is in the list."""
    listed = {key["keyid"] for key in client.get(KEYS).json["keys"]}
    signatures = client.get(UTILS).json["versions"]["1.0.0"]["dist"]["signatures"]
    assert {signature["keyid"] for signature in signatures} <= listed


@pytest.mark.parametrize("headers", [{"If_None_Match": "*"}, {"Accept_Encoding": "gzip"}, {"Range": "bytes=0-1"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_keys_are_whole_whatever_the_first_to_ask_said(keyed, headers, method):
    """The upstream's keys are kept: a condition, an encoding or a HEAD of one client must not empty them for all."""
    client, _, _ = keyed
    assert client.ask(method, KEYS, **headers).status == 200
    assert len(client.get(KEYS).json["keys"]) == 3


def test_upstreams_keys_are_asked_for_now_and_then(keyed):
    """Once in a while, and the old ones stay when it cannot be asked."""
    client, upstream, hours = keyed
    for _ in range(3):
        assert client.get(KEYS).status == 200
    assert upstream.asked == 1
    hours[0] += 1
    upstream.answer = (500, b"")
    assert len(client.get(KEYS).json["keys"]) == 3
    hours[0] += 1
    upstream.answer = (200, b'{"keys": []}')
    assert len(client.get(KEYS).json["keys"]) == 2
    assert upstream.asked == 3


@pytest.mark.parametrize("status", [500, 503, 401])
def test_upstream_that_fails_is_not_one_without_keys(keyed, status):
    """A list without its keys would make npm call every public package unsigned."""
    client, upstream, _ = keyed
    upstream.answer = (status, b"")
    assert client.get(KEYS).status in (403, 502, 503)
    upstream.answer = (200, b'{"keys": [{"keyid": "SHA256:theirs"}]}')
    assert len(client.get(KEYS).json["keys"]) == 3


@pytest.mark.parametrize("answer", [(404, b"{}"), (400, b"{}"), (200, b"{}"), (200, b'{"keys": 1}')])
def test_upstream_without_keys_adds_none(keyed, answer):
    """The poorest mirror knows no keys: ours are listed alone."""
    client, upstream, _ = keyed
    upstream.answer = answer
    assert len(client.get(KEYS).json["keys"]) == 2


def test_registry_without_any_keys_is_404(acme):
    """What npm takes for "nothing is signed here"."""
    response = acme.stranger().get(KEYS)
    assert (response.status, response.code) == (404, "no-keys")
