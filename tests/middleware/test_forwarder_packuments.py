"""How Forwarder answers packuments, versions and dist-tags of the upstream."""

from __future__ import annotations

from threading import Event
from typing import Any
from wsgiref.validate import validator

import pytest
from support.forwarding import ABBREVIATED, BASE, INTERNAL_TOKEN, READS, Client, Tokens
from support.layers import FixedSettings
from support.ports import silent_url

from nproxy_mw.http.views import Views
from nproxy_mw.middleware.authenticate import Authenticate
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.forwarder import Forwarder
from nproxy_mw.middleware.scope_router import ScopeRouter
from nproxy_mw.testing.upstream import RecordingUpstream, Reply, json_reply
from nproxy_mw.upstream.transport import Urllib3Transport


def test_packument_points_at_us_and_keeps_what_is_unknown(upstream: RecordingUpstream, client: Client) -> None:
    """Tarballs and attestations are ours, signatures and publishers pass, the upstream's address is nowhere."""
    extra = {
        "_npmUser": {"name": "jdalton"},
        "x-unknown": [1, {"deep": f"see {upstream.url}/lodash"}],
        "dist": {
            "tarball": "https://files.example/whatever.tgz",
            "signatures": [{"keyid": "SHA256:x", "sig": "y"}],
            "attestations": {"url": f"{upstream.url}/-/npm/v1/attestations/@types%2fnode@1.0.0", "provenance": {}},
        },
    }
    upstream.publish("@types/node", "1.0.0", extra)
    response = client.get("/@types/node")
    manifest = response.json["versions"]["1.0.0"]
    assert response.status == 200
    assert manifest["dist"] == {
        "tarball": f"{BASE}/@types/node/-/node-1.0.0.tgz",
        "signatures": [{"keyid": "SHA256:x", "sig": "y"}],
        "attestations": {"url": f"{BASE}/-/npm/v1/attestations/@types/node@1.0.0", "provenance": {}},
    }
    assert manifest["_npmUser"] == {"name": "jdalton"}
    assert manifest["x-unknown"] == [1, {"deep": f"see {BASE}/lodash"}]
    assert upstream.url.encode() not in response.body
    assert upstream.requests[0].path.lower() == "/@types%2fnode"


def test_abbreviated_form_is_derived_from_the_full_one(upstream: RecordingUpstream, client: Client) -> None:
    """The upstream is always asked for the full form; the short one carries time and hasInstallScript too."""
    upstream.publish("lodash", "1.0.0", {"scripts": {"install": "x"}, "readme": "long"})
    accept = f"{ABBREVIATED}; q=1.0, application/json; q=0.8, */*"
    response = client.get("/lodash", Accept=accept)
    assert response.headers["Content-Type"] == ABBREVIATED
    assert response.json["versions"]["1.0.0"]["hasInstallScript"] is True
    assert response.json["time"]["1.0.0"]
    assert "readme" not in response.json["versions"]["1.0.0"]
    assert upstream.requests[0].headers["accept"] == "application/json"


def test_every_representation_has_its_own_etag(upstream: RecordingUpstream, client: Client) -> None:
    """Form, encoding that is taken and base URL each make another; asking again with it is a 304."""
    upstream.publish("lodash", "1.0.0", {"description": "x" * 5000})
    elsewhere = Client(upstream.url, public_url=None)
    seen = set()
    for asking in (client, elsewhere):
        for accept in ("*/*", ABBREVIATED):
            for encoding in ("identity", "gzip"):
                headers = {"Accept": accept, "Accept-Encoding": encoding}
                response = asking.get("/lodash", **headers)
                etag = response.headers["ETag"]
                seen.add(etag)
                assert (response.headers.get("Content-Encoding") == "gzip") is (encoding == "gzip" and accept == "*/*")
                assert "Accept-Encoding" in response.headers["Vary"]
                assert response.headers["Cache-Control"] == "private, no-cache"
                again = asking.get("/lodash", **headers, If_None_Match=f'"x", {etag}')
                assert (again.status, again.headers["ETag"], again.body) == (304, etag, b"")
                assert asking.get("/lodash", **headers, If_None_Match='"other"').status == 200
    assert len(seen) == 8


def test_packument_is_made_once_per_revision(upstream: RecordingUpstream, client: Client) -> None:
    """While the upstream says that nothing changed, the finished answer is sent; then a new one is made."""
    etag = '"1"'
    upstream.publish("lodash", "1.0.0")
    upstream.on("GET", "/lodash", json_reply(upstream.state.packuments["lodash"], ETag=etag))
    first = client.get("/lodash")
    upstream.on("GET", "/lodash", Reply(304, headers={"ETag": etag}))
    assert client.get("/lodash") == first
    assert client.get("/lodash", Accept=ABBREVIATED).status == 502  # nothing is kept that a 304 could mean
    assert upstream.requests[1].headers["if-none-match"] == etag
    upstream.publish("lodash", "2.0.0")
    upstream.on("GET", "/lodash", json_reply(upstream.state.packuments["lodash"], ETag='"2"'))
    assert client.get("/lodash").json["dist-tags"] == {"latest": "2.0.0"}


def test_upstream_without_validators_is_seen_not_to_change(poor: RecordingUpstream) -> None:
    """The poorest mirror sends everything again; the answer stays the same, with the same ETag."""
    poor.publish("lodash", "1.0.0")
    client = Client(poor.url)
    first = client.get("/lodash")
    assert client.get("/lodash") == first
    assert client.get("/lodash", If_None_Match=first.headers["ETag"]).status == 304


def test_slim_form_is_served_to_installs(upstream: RecordingUpstream, client: Client) -> None:
    """npm install gets what it reads, npm view gets all; caches are told what that depends on."""
    upstream.publish(
        "lodash", "1.0.0", {"readme": "long", "scripts": {"test": "x", "prepare": "y"}, "workspaces": ["a"]}
    )
    slim, full = client.get("/lodash", npm_command="install"), client.get("/lodash", npm_command="view")
    manifest = slim.json["versions"]["1.0.0"]
    assert (manifest["scripts"], manifest["workspaces"], "readme" in manifest) == ({"prepare": "y"}, ["a"], False)
    assert full.json["versions"]["1.0.0"]["readme"] == "long"
    assert slim.headers["ETag"] != full.headers["ETag"]
    assert slim.headers["Content-Type"] == "application/json"
    assert "npm-command" in slim.headers["Vary"]
    whole = Client(upstream.url, views=Views(slim=False))
    assert whole.get("/lodash", npm_command="install").json == full.json


def test_nothing_that_the_upstream_lists_is_lost(upstream: RecordingUpstream, client: Client) -> None:
    """Versions from before strict semver are listed, found and timed."""
    versions = {v: {"name": "old", "version": v} for v in ("1.0.5beta", "3.13.00", "2.0.0")}
    times = {"1.0.5beta": "2013-01-01T00:00:00.000Z"}
    upstream.on("GET", "/old", json_reply({"versions": versions, "dist-tags": {"latest": "2.0.0"}, "time": times}))
    packument = client.get("/old").json
    assert list(packument["versions"]) == ["1.0.5beta", "3.13.00", "2.0.0"]
    assert packument["time"] == times
    assert client.get("/old/1.0.5beta").json["dist"]["tarball"] == f"{BASE}/old/-/old-1.0.5beta.tgz"


def test_deeply_nested_document_is_no_bug_of_ours(upstream: RecordingUpstream, client: Client) -> None:
    """300 levels pass as they are; a hundred thousand are refused with a sentence."""
    beginning = b'{"name":"deep","versions":{"1.0.0":{}},"x":'
    upstream.on("GET", "/deep", Reply(200, beginning + b"[" * 300 + b"]" * 300 + b"}"))
    response = client.get("/deep")
    assert response.status == 200
    assert b"[" * 300 + b"]" * 300 in response.body
    upstream.on("GET", "/deep", Reply(200, beginning + b"[" * 100_000 + b"]" * 100_000 + b"}"))
    assert client.get("/deep").status == 502


def test_byte_order_mark_is_skipped(upstream: RecordingUpstream, client: Client) -> None:
    """Some editors and servers put one before JSON."""
    upstream.on("GET", "/lodash", Reply(200, b'\xef\xbb\xbf{"versions":{"1.0.0":{}}}'))
    assert list(client.get("/lodash").json["versions"]) == ["1.0.0"]


def test_names_that_no_storage_could_hold_are_asked_for(upstream: RecordingUpstream, client: Client) -> None:
    """What is a device on some file system, or begins with an underscore below a scope, is a package like any other."""
    for name in ("con", "aux", "@pub/_tools", "x."):
        upstream.publish(name, "1.0.0")
        assert client.get(f"/{name}").status == 200


def test_head_is_get_without_a_body(upstream: RecordingUpstream, client: Client) -> None:
    """The same headers, Content-Length included."""
    upstream.publish("lodash", "1.0.0")
    get, head = client.get("/lodash"), client.ask("HEAD", "/lodash")
    assert (head.status, head.body, head.headers) == (200, b"", get.headers)


@pytest.mark.parametrize("wanted", ["1.0.0", "latest", "next"])
def test_manifest_is_found_by_version_and_by_tag(poor: RecordingUpstream, wanted: str) -> None:
    """Also where the upstream knows packuments alone."""
    poor.publish("lodash", "1.0.0", tag="next")
    poor.publish("lodash", "1.0.0")
    client = Client(poor.url)
    assert client.get(f"/lodash/{wanted}").json["dist"]["tarball"] == f"{BASE}/lodash/-/lodash-1.0.0.tgz"
    assert client.get("/lodash/9.9.9").status == 404
    assert client.get("/lodash/9.9.9").json["error"].endswith(".")


@pytest.mark.parametrize("is_poor", [False, True])
def test_dist_tags_come_from_the_packument_where_need_be(is_poor: bool) -> None:
    """A mirror without that route still has tags."""
    with RecordingUpstream(is_poor=is_poor) as upstream:
        upstream.publish("lodash", "1.0.0")
        client = Client(upstream.url)
        assert client.get("/-/package/lodash/dist-tags").json == {"latest": "1.0.0"}
        assert client.get("/-/package/absent/dist-tags").status == 404


def test_poorest_mirror_is_enough(poor: RecordingUpstream) -> None:
    """Packument in both forms, version, tarball: all an install needs."""
    data = poor.publish("lodash", "1.0.0")
    client = Client(poor.url)
    for accept in ("*/*", ABBREVIATED):
        document = client.get("/lodash", Accept=accept).json
        assert document["dist-tags"] == {"latest": "1.0.0"}
    tarball = client.get("/lodash/-/lodash-1.0.0.tgz", Range="bytes=0-1")
    assert (tarball.status, tarball.body) == (200, data)


def test_write_query_goes_up_and_no_other(upstream: RecordingUpstream, client: Client) -> None:
    """npm asks past caches before it changes a packument; whatever else a query holds may be a secret."""
    upstream.publish("lodash", "1.0.0")
    client.get(f"/lodash?write=true&token={INTERNAL_TOKEN}")
    client.get("/lodash?t=@acme/x")
    assert [request.path for request in upstream.requests] == ["/lodash?write=true", "/lodash"]


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        pytest.param(Reply(404), 404, "not-found", id="404"),
        pytest.param(Reply(410), 404, "not-found", id="410"),
        pytest.param(Reply(401), 403, "upstream-refused", id="401"),
        pytest.param(Reply(400), 400, "upstream-refused", id="400"),
        pytest.param(Reply(402), 403, "upstream-refused", id="402"),
        pytest.param(Reply(405), 400, "upstream-refused", id="405"),
        pytest.param(Reply(406), 400, "upstream-refused", id="406"),
        pytest.param(Reply(408), 504, "upstream-timeout", id="408"),
        pytest.param(Reply(422), 400, "upstream-refused", id="422"),
        pytest.param(Reply(403), 403, "upstream-refused", id="403"),
        pytest.param(Reply(451), 403, "upstream-withdrew", id="451"),
        pytest.param(Reply(429, headers={"Retry-After": "17"}), 503, "upstream-busy", id="429"),
        pytest.param(Reply(503, b"<html>"), 503, "upstream-busy", id="503"),
        pytest.param(Reply(500, b"<html>"), 502, "upstream-unavailable", id="500"),
        pytest.param(Reply(504, b"<html>"), 504, "upstream-timeout", id="504"),
        pytest.param(Reply(204), 502, "upstream-unavailable", id="204"),
        pytest.param(Reply(206, b"{}"), 502, "upstream-unavailable", id="206 that nobody asked for"),
        pytest.param(Reply(304), 502, "upstream-unavailable", id="304 that nobody asked for"),
        pytest.param(Reply(416), 502, "upstream-unavailable", id="416 that nobody asked for"),
        pytest.param(json_reply(None), 404, "not-found", id="null"),
        pytest.param(json_reply({}), 502, "upstream-unavailable", id="empty object"),
        pytest.param(json_reply({"error": "not_found"}), 404, "not-found", id="error object: not found"),
        pytest.param(json_reply({"errors": [{"status": 403}]}), 403, "upstream-refused", id="error object: 403"),
        pytest.param(json_reply({"error": "boom"}), 502, "upstream-unavailable", id="error object: anything else"),
        pytest.param(Reply(200, b"<html>"), 502, "upstream-unavailable", id="HTML"),
        pytest.param(Reply(200, b"[]"), 502, "upstream-unavailable", id="no object"),
        pytest.param(Reply(200, b"{}", {"Content-Length": "9"}, cut=2), 502, "upstream-unavailable", id="cut"),
        pytest.param(Reply(302, headers={"Location": "http://evil.example/"}), 502, "upstream-unavailable", id="302"),
        pytest.param(json_reply({"name": "is-odd", "versions": {}}), 502, "upstream-unavailable", id="other package"),
    ],
)
def test_upstream_failures_are_sentences(
    upstream: RecordingUpstream, client: Client, reply: Reply, status: int, code: str
) -> None:
    """Never an upstream's HTML, never its name, and 404 only when it says so."""
    upstream.on("GET", "/lodash", reply)
    response = client.get("/lodash")
    assert (response.status, response.json["code"]) == (status, code)
    assert "127.0.0.1" not in response.json["error"]
    if status == 503:
        assert response.headers["Retry-After"] in {"1", "17"}


@pytest.mark.parametrize("status", [400, 401, 403, 422, 451])
@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"error": "Blocked by policy no-gpl."}, id="error"),
        pytest.param({"errors": [{"status": 403, "message": "Blocked by policy no-gpl"}]}, id="errors"),
        pytest.param({"detail": "Blocked by\r\n policy\x1b no-gpl"}, id="detail, with control characters"),
    ],
)
def test_reason_of_a_refusal_reaches_the_developer(
    upstream: RecordingUpstream, client: Client, said: dict[str, Any], status: int
) -> None:
    """A firewall before the upstream says why it blocks a package: its words are in the sentence, on one line."""
    upstream.on("GET", "/lodash", json_reply(said, status))
    assert client.get("/lodash").json["error"].endswith("package: Blocked by policy no-gpl.")


def test_reason_of_a_refusal_does_not_name_the_upstream(upstream: RecordingUpstream, client: Client) -> None:
    """Its own words may hold its address."""
    upstream.on("GET", "/lodash", json_reply({"error": f"See {upstream.url}/policy"}, 403))
    assert "127.0.0.1" not in client.get("/lodash").json["error"]


def test_upstream_that_is_down_is_502_everywhere() -> None:
    """npm believes a 404; it must not be told one."""
    with silent_url() as url:
        client = Client(url)
        for path in READS:
            assert client.get(path).status == 502
        assert client.ask("PUT", "/lodash", {}).status == 502


def test_slow_upstream_is_504(upstream: RecordingUpstream) -> None:
    """The client is told which side was slow."""
    upstream.on("GET", "/lodash", Reply(wait=Event()))
    transport = Urllib3Transport(upstream.url, read_timeout=0.05)
    forwarder = Forwarder(transport=transport, public_url=BASE)
    app: Any = ErrorResponses(Authenticate(ScopeRouter(forwarder, settings=FixedSettings()), tokens=Tokens()))
    client = Client(upstream.url)
    client.app = validator(app)
    assert client.get("/lodash").status == 504


def test_no_request_header_but_the_needed_ones_goes_up(upstream: RecordingUpstream, client: Client) -> None:
    """Cookies, referrers, sessions and forwarding headers say things that are not the upstream's business."""
    upstream.publish("lodash", "1.0.0")
    names = (
        "Cookie Referer X_Forwarded_For X_Forwarded_Host Forwarded npm_session npm_scope Via Origin User_Agent TE "
        "Connection Proxy_Authorization npm_otp pacote_pkg_id X_Api_Key"
    )
    noise = dict.fromkeys(names.split(), "secret-noise")
    for path in READS:
        for method in ("GET", "HEAD"):
            client.ask(method, path, **noise, Authorization="Bearer npm_x")
    assert len(upstream.requests) == 10
    assert upstream.asked("secret-noise") == []
    assert upstream.asked("npm_x") == []
