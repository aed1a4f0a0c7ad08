"""RecordingUpstream: it answers as a registry does, remembers, and fails as it is told."""

from __future__ import annotations

import base64
import hashlib
import json
from threading import Event

import pytest
import urllib3

from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.upstream import RecordingUpstream, Reply, json_reply


def ask(url: str, method: str = "GET", **options: object) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(retries=False) as pool:
        return pool.request(method, url, redirect=False, **options)  # type: ignore[arg-type]


def test_published_package_can_be_read() -> None:
    """Packument, tags and a tarball that matches its integrity."""
    with RecordingUpstream() as upstream:
        data = upstream.publish("@types/node", "1.0.0", {"scripts": {"install": "x"}}, {"index.js": "1"})
        upstream.publish("@types/node", "1.1.0-a", tag="next")
        packument = ask(f"{upstream.url}/@types%2fnode").json()
        assert packument["dist-tags"] == {"latest": "1.0.0", "next": "1.1.0-a"}
        assert set(packument["time"]) == {"created", "modified", "1.0.0", "1.1.0-a"}
        manifest = packument["versions"]["1.0.0"]
        assert manifest["scripts"] == {"install": "x"}
        assert ask(manifest["dist"]["tarball"]).data == data
        digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
        assert manifest["dist"]["integrity"] == f"sha512-{digest}"
        assert ask(f"{upstream.url}/-/package/@types%2fnode/dist-tags").json() == packument["dist-tags"]


def test_everything_is_remembered() -> None:
    """As it arrived: verb, raw path, headers, body."""
    with RecordingUpstream(prefix="/npm") as upstream:
        ask(f"{upstream.url}/@types%2fnode?write=true", headers={"X-Name": "value"})
        ask(f"{upstream.url}/lodash", "PUT", body=[b"chun", b"ked"], chunked=True)
        assert [(r.method, r.path) for r in upstream.requests] == [
            ("GET", "/npm/@types%2Fnode?write=true"),
            ("PUT", "/npm/lodash"),
        ]
        assert upstream.requests[0].headers["x-name"] == "value"
        assert upstream.requests[1].body == b"chunked"
        assert upstream.asked("value") == upstream.asked("@types/node") == [upstream.requests[0]]
        assert upstream.asked("chunked")


def test_publish_needs_the_token() -> None:
    """And a version can be published once."""
    body = json.dumps(publish_document("lodash", "1.0.0")).encode()
    with RecordingUpstream(token="npm_x") as upstream:
        url = f"{upstream.url}/lodash"
        assert ask(url, "PUT", body=body).status == 401
        headers = {"Authorization": "Bearer npm_x"}
        assert ask(url, "PUT", body=body, headers=headers).status == 201
        assert ask(url, "PUT", body=body, headers=headers).status == 403
        assert ask(f"{url}/-/lodash-1.0.0.tgz").status == 200
        tag = f"{upstream.url}/-/package/lodash/dist-tags/next"
        assert ask(tag, "PUT", body=b'"1.0.0"', headers=headers).status == 200
        assert ask(url).json()["dist-tags"] == {"latest": "1.0.0", "next": "1.0.0"}
        assert ask(tag, "DELETE", headers=headers).status == 200
        assert ask(url).json()["dist-tags"] == {"latest": "1.0.0"}
        assert ask(f"{url}/-rev/1", "DELETE", headers=headers).status == 200
        assert ask(url).status == 404


def test_poor_mirror_knows_packuments_and_tarballs() -> None:
    """And nothing else of the protocol."""
    with RecordingUpstream(is_poor=True) as upstream:
        data = upstream.publish("lodash", "1.0.0")
        answer = ask(f"{upstream.url}/lodash", headers={"Accept-Encoding": "gzip"})
        assert set(answer.json()) == {"name", "dist-tags", "versions"}
        assert not {"etag", "content-encoding"} & {name.lower() for name in answer.headers}
        assert ask(f"{upstream.url}/lodash/-/lodash-1.0.0.tgz", headers={"Range": "bytes=0-1"}).data == data
        assert ask(f"{upstream.url}/-/npm/v1/security/advisories/bulk", "POST", body=b"{}").status == 405
        for path in ("/-/npm/v1/keys", "/-/package/lodash/dist-tags", "/absent"):
            assert ask(upstream.url + path).status == 404


def test_rich_registry_has_tags_ranges_and_forms() -> None:
    """ETags and 304, one range, the abbreviated form."""
    with RecordingUpstream() as upstream:
        data = upstream.publish("lodash", "1.0.0")
        url = f"{upstream.url}/lodash"
        etag = ask(url).headers["ETag"]
        assert ask(url, headers={"If-None-Match": etag}).status == 304
        short = ask(url, headers={"Accept": "application/vnd.npm.install-v1+json"}).json()
        assert set(short) == {"name", "dist-tags", "versions"}
        tarball = f"{url}/-/lodash-1.0.0.tgz"
        assert ask(tarball, headers={"Range": "bytes=2-3"}).data == data[2:4]
        assert ask(tarball, headers={"Range": "bytes=99999-"}).status == 416


def test_it_fails_as_it_is_told() -> None:
    """Any status, a body that is cut, an answer that waits, connections that drop."""
    gate = Event()
    with RecordingUpstream() as upstream:
        upstream.on("GET", "/x", json_reply({"error": "no"}, 503, Retry_After="7"))
        assert ask(f"{upstream.url}/x").headers["Retry-After"] == "7"
        upstream.on("GET", "/x", Reply(200, b"abcdef", cut=3))
        with pytest.raises(urllib3.exceptions.ProtocolError):
            ask(f"{upstream.url}/x")
        upstream.on("GET", "/x", Reply(200, b"late", wait=gate))
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            ask(f"{upstream.url}/x", timeout=0.05)
        gate.set()
        assert ask(f"{upstream.url}/x").data == b"late"
        upstream.drop_connections()
        url = upstream.url
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        ask(url)


def test_keys_attestations_and_advisories_are_what_a_test_sets() -> None:
    """Empty at first, as at most mirrors."""
    with RecordingUpstream() as upstream:
        upstream.state.keys = [{"keyid": "SHA256:x"}]
        upstream.state.attestations["x@1.0.0"] = {"attestations": []}
        upstream.state.advisories["x"] = [{"id": 1}]
        assert ask(f"{upstream.url}/-/npm/v1/keys").json() == {"keys": [{"keyid": "SHA256:x"}]}
        assert ask(f"{upstream.url}/-/npm/v1/attestations/x@1.0.0").json() == {"attestations": []}
        bulk = ask(f"{upstream.url}/-/npm/v1/security/advisories/bulk", "POST", body=b'{"x": ["1.0.0"], "y": []}')
        assert bulk.json() == {"x": [{"id": 1}]}
