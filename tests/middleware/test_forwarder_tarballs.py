"""How Forwarder answers tarballs of the upstream."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest
from support.forwarding import BASE, Client

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.testing.upstream import RecordingUpstream, Reply, json_reply


def test_tarball_is_passed_as_it_is(upstream: RecordingUpstream, client: Client) -> None:
    """Bytes, length and validators, in a wrapping that no browser runs."""
    data = upstream.publish("@types/node", "1.0.0")
    response = client.get("/@types/node/-/node-1.0.0.tgz", Accept_Encoding="gzip")
    assert (response.status, response.body) == (200, data)
    assert response.headers["Content-Length"] == str(len(data))
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"].startswith("private")
    assert "Content-Encoding" not in response.headers
    assert [request.path for request in upstream.requests] == ["/@types/node/-/node-1.0.0.tgz"]
    head = client.ask("HEAD", "/@types/node/-/node-1.0.0.tgz")
    assert (head.status, head.body, head.headers) == (200, b"", response.headers)


@pytest.mark.parametrize("status", [405, 501])
def test_head_works_where_the_upstream_knows_none(upstream: RecordingUpstream, client: Client, status: int) -> None:
    """The tarball is asked for, and its body left alone."""
    data = upstream.publish("lodash", "1.0.0")
    upstream.on("HEAD", "/lodash/-/lodash-1.0.0.tgz", Reply(status))
    head = client.ask("HEAD", "/lodash/-/lodash-1.0.0.tgz")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(data)))


def test_tarball_ranges_go_up(upstream: RecordingUpstream, client: Client) -> None:
    """One range; several would come back in an envelope."""
    data = upstream.publish("lodash", "1.0.0")
    path = "/lodash/-/lodash-1.0.0.tgz"
    part = client.get(path, Range="bytes=2-5")
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, data[2:6], f"bytes 2-5/{len(data)}")
    assert client.get(path, Range="bytes=0-1,4-5").status == 200
    beyond = client.get(path, Range="bytes=999999-")
    assert (beyond.status, beyond.json["code"]) == (416, "invalid-range")


def test_tarball_conditions_are_decided_here(upstream: RecordingUpstream, client: Client) -> None:
    """By the validators that the upstream gives, whatever it does with a condition."""
    path, date = "/lodash/-/lodash-1.0.0.tgz", "Wed, 21 Oct 2026 07:28:00 GMT"
    upstream.on("GET", path, Reply(200, b"\x1f\x8b", {"ETag": '"x"', "Last-Modified": date}))
    assert client.get(path, If_None_Match='"x"').status == 304
    assert client.get(path, If_None_Match='"y"', If_Modified_Since=date).status == 200
    assert client.get(path, If_Modified_Since=date).status == 304
    assert client.get(path, If_Modified_Since="Thu, 22 Oct 2026 07:28:00 GMT").status == 200


def test_part_of_another_tarball_is_not_sent(upstream: RecordingUpstream, client: Client) -> None:
    """If-Range names what the client has the beginning of: when that is another, it gets the whole."""
    path, headers = "/lodash/-/lodash-1.0.0.tgz", {"ETag": '"x"', "Content-Range": "bytes 0-1/4"}
    upstream.on("GET", path, Reply(206, b"ab", headers))
    assert client.get(path, Range="bytes=0-1", If_Range='"x"').status == 206
    assert client.get(path, Range="bytes=0-1", If_Range='"y"').status == 502  # and this upstream has no whole one
    assert "range" not in upstream.requests[-1].headers


@pytest.mark.parametrize(
    "content_range", ["bytes 1-2/4", "bytes 0-1/*", "bytes 0-3/4", "", "bytes 0-1/1", "bytes 0-1/4\x00"]
)
def test_another_part_than_the_one_asked_for_is_502(
    upstream: RecordingUpstream, client: Client, content_range: str
) -> None:
    """Put behind what the client has, it would make a tarball that never was."""
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(206, b"ab", {"Content-Range": content_range}))
    assert client.get("/lodash/-/lodash-1.0.0.tgz", Range="bytes=0-1").status == 502


def test_tarball_at_an_unusual_place_is_found_by_the_packument(upstream: RecordingUpstream, client: Client) -> None:
    """Our URLs are conventional; where the upstream's are not, its packument is asked."""
    data = b"\x1f\x8bunusual"
    upstream.publish("lodash", "1.0.0", {"dist": {"tarball": f"{upstream.url}/files/abc.tgz"}})
    upstream.state.tarballs = {"/files/abc.tgz": data}
    assert client.get("/lodash/-/lodash-1.0.0.tgz").body == data
    for absent in ("/lodash/-/lodash-9.9.9.tgz", "/lodash/-/other-1.0.0.tgz", "/absent/-/absent-1.0.0.tgz"):
        assert client.get(absent).status == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:22/",
        "file:///etc/passwd",
        "http://127.0.0.1:1/x.tgz",
        "http://localhost/x.tgz",
        "//evil.example/x.tgz",
    ],
)
def test_tarball_at_a_foreign_place_is_502(upstream: RecordingUpstream, client: Client, url: str) -> None:
    """A packument does not decide where this server connects to."""
    upstream.publish("lodash", "1.0.0", {"dist": {"tarball": url}})
    upstream.state.tarballs = {}
    response = client.get("/lodash/-/lodash-1.0.0.tgz")
    assert (response.status, response.json["code"]) == (502, "upstream-unavailable")
    assert url not in response.json["error"]


def test_tarball_at_an_allowed_origin_is_fetched_without_credentials(upstream: RecordingUpstream) -> None:
    """Some registries keep their files at another host."""
    with RecordingUpstream() as files:
        data = files.publish("lodash", "1.0.0")
        upstream.publish("lodash", "1.0.0", {"dist": {"tarball": f"{files.url}/lodash/-/lodash-1.0.0.tgz"}})
        upstream.state.tarballs = {}
        client = Client(upstream.url.replace("//", "//user:secret@"), origins=[files.url])
        assert client.get("/lodash/-/lodash-1.0.0.tgz", Authorization="Bearer npm_x").body == data
        assert "authorization" not in files.requests[0].headers
        assert all(request.headers["authorization"].startswith("Basic") for request in upstream.requests)


@pytest.mark.parametrize("announced", ["100001", "99999999"])
def test_tarball_that_ends_too_early_never_looks_complete(upstream: RecordingUpstream, announced: str) -> None:
    """The error reaches the server, which then breaks the connection instead of ending the answer."""
    reply = Reply(200, b"x" * 100_000, {"Content-Length": announced}, cut=100_000)
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", reply)
    response, chunks = Client(upstream.url).start("GET", "/lodash/-/lodash-1.0.0.tgz", b"", {})
    with pytest.raises(UpstreamUnavailable):
        list(chunks)
    chunks.close()
    assert response.headers["Content-Length"] == announced


def test_tarball_that_ends_at_once_is_502(upstream: RecordingUpstream, client: Client) -> None:
    """While nothing has been sent to the client, an error can still be told."""
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, b"x" * 9, {"Content-Length": "10"}, cut=9))
    assert client.get("/lodash/-/lodash-1.0.0.tgz").status == 502


def test_client_that_goes_away_gives_the_connection_back(upstream: RecordingUpstream, client: Client) -> None:
    """close() reaches the upstream's answer: the next request works, and no answer stays open."""
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, b"x" * 2**22))
    for _ in range(3):
        _, chunks = client.start("GET", "/lodash/-/lodash-1.0.0.tgz", b"", {})
        next(iter(chunks))
        chunks.close()
    assert client.get("/lodash/-/lodash-1.0.0.tgz").status == 200


def test_tarball_failures_are_sentences(upstream: RecordingUpstream, client: Client) -> None:
    """A refusal of the upstream is JSON with a sentence, and never an upstream's page with status 200."""
    for status, expected in (
        (500, 502),
        (403, 403),
        (429, 503),
        (206, 502),
        (201, 502),
        (204, 502),
        (304, 502),
        (416, 502),
    ):
        upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(status, b"<html>"))
        assert client.get("/lodash/-/lodash-1.0.0.tgz").status == expected
    for content_type in ("text/html; charset=x", "application/json"):
        upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, b"{}", {"Content-Type": content_type}))
        assert client.get("/lodash/-/lodash-1.0.0.tgz").status == 502


@pytest.mark.parametrize("size", [100, 300_000])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_tarball_is_the_tarball_whatever_its_encoding_says(
    upstream: RecordingUpstream, client: Client, size: int, times: int
) -> None:
    """Encoded once more for the way it is decoded; the gzip that it is itself is left alone."""
    data = gzip.compress(bytes(index % 251 for index in range(size)))
    sent = gzip.compress(data) if times == 2 else data
    headers = {"Content-Encoding": "gzip"} if times else {}
    upstream.on("GET", "/lodash/-/lodash-1.0.0.tgz", Reply(200, sent, headers))
    response = client.get("/lodash/-/lodash-1.0.0.tgz")
    assert (response.status, response.body) == (200, data)
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 451])
def test_tarball_that_is_refused_lies_where_the_packument_says(
    upstream: RecordingUpstream, client: Client, status: int
) -> None:
    """Upstreams that keep files elsewhere refuse the conventional place with any 4xx; when they lie there, it holds."""
    path = "/lodash/-/lodash-1.0.0.tgz"
    upstream.publish("lodash", "1.0.0", {"dist": {"tarball": f"{upstream.url}/files/a.tgz"}})
    upstream.on("GET", path, json_reply({"error": "No."}, status))
    upstream.on("GET", "/files/a.tgz", Reply(200, b"\x1f\x8b"))
    assert client.get(path).body == b"\x1f\x8b"
    upstream.state.packuments["lodash"]["versions"]["1.0.0"]["dist"]["tarball"] = f"{upstream.url}{path}"
    assert client.get(path).status == {401: 403, 405: 400, 451: 403}.get(status, status)


def test_tarball_bytes_match_their_integrity(upstream: RecordingUpstream, client: Client) -> None:
    """What the packument promises is what the tarball route gives, through both."""
    upstream.publish("lodash", "1.0.0", files={"index.js": "x" * 300_000})
    dist = client.get("/lodash").json["versions"]["1.0.0"]["dist"]
    data = client.get(dist["tarball"].removeprefix(BASE)).body
    assert dist["integrity"] == "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
