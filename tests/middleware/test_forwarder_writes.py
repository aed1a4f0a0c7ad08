"""What Forwarder sends up of a client's change, and what comes back."""

from __future__ import annotations

import base64
import io
import json
import socket
from threading import Thread
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from support.forwarding import BASE, INTERNAL_TOKEN, Client
from support.layers import FixedSettings

from nproxy_mw.http.bodies import LINGER
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.upstream import RecordingUpstream, Reply, json_reply


def document(size: int, beginning: bytes = b'{"_id":"lodash"') -> bytes:
    """A document of so many bytes that is put to the upstream."""
    end = b"]" if beginning.startswith(b"[") else b"}"
    return beginning + end.rjust(max(size - len(beginning), 1))


def test_publish_goes_up_with_the_clients_token(upstream: RecordingUpstream, client: Client) -> None:
    """The body as it came, the token to the upstream alone; the answer comes back without `error`."""
    document = publish_document("lodash", "1.0.0")
    response = client.ask("PUT", "/lodash", document, Authorization="Bearer npm_upstream", npm_otp="123456")
    assert response.status == 201
    assert "error" not in response.json
    sent = upstream.requests[0]
    assert json.loads(sent.body) == document
    assert sent.headers["authorization"] == "Bearer npm_upstream"
    assert (sent.headers["npm-otp"], sent.headers["content-length"]) == ("123456", str(len(sent.body)))
    assert client.get("/lodash").json["dist-tags"] == {"latest": "1.0.0"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/@types/node"),
        ("PUT", "/@types/node/-rev/1-a"),
        ("DELETE", "/@types/node/-rev/1-a"),
        ("DELETE", "/@types/node/-/node-1.0.0.tgz/-rev/1-a"),
        ("PUT", "/-/package/@types/node/dist-tags/next"),
        ("DELETE", "/-/package/@types/node/dist-tags/next"),
    ],
)
def test_writes_go_up(upstream: RecordingUpstream, client: Client, method: str, path: str) -> None:
    """Publish, deprecate, tag and unpublish, each to the path rebuilt from its meaning."""
    body = {"versions": {}} if method == "PUT" else b""
    response = client.ask(method, path, body, Authorization="Bearer npm_upstream")
    assert response.status in (200, 201)
    sent = upstream.requests[0]
    assert (sent.method, sent.path.lower().replace("%2f", "/")) == (method, path)
    assert sent.headers["authorization"] == "Bearer npm_upstream"


TOKEN_IN_BASIC = base64.b64encode(f"alice:{INTERNAL_TOKEN}".encode()).decode()
HIDDEN_TOKEN = base64.b64encode(INTERNAL_TOKEN.encode()).decode()
TOKEN_AS_USER = base64.b64encode(f"{INTERNAL_TOKEN}:".encode()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": f"Bearer {INTERNAL_TOKEN}"}, id="bearer"),
        pytest.param({"Authorization": f"bearer   {INTERNAL_TOKEN}"}, id="bearer, spaced"),
        pytest.param({"Authorization": f"Basic {TOKEN_IN_BASIC}"}, id="basic, password"),
        pytest.param({"Authorization": f"Basic {TOKEN_AS_USER}"}, id="basic, user"),
        pytest.param({"Authorization": INTERNAL_TOKEN}, id="bare"),
        pytest.param({"Authorization": f"Token {INTERNAL_TOKEN}"}, id="another scheme"),
        pytest.param({"Cookie": f"token={INTERNAL_TOKEN}"}, id="cookie"),
        pytest.param({"npm_otp": INTERNAL_TOKEN}, id="one-time password"),
        pytest.param({"npm_otp": HIDDEN_TOKEN}, id="one-time password in base64"),
        pytest.param({"npm_otp": f"123,x{HIDDEN_TOKEN}"}, id="behind another text"),
        pytest.param({"npm_command": INTERNAL_TOKEN}, id="command"),
        pytest.param({"npm_command": INTERNAL_TOKEN.replace("_", "%5f")}, id="percent-encoded"),
        pytest.param({"Authorization": f"Bearer npm_abcde, Basic {TOKEN_IN_BASIC}"}, id="two headers joined"),
        pytest.param({"Authorization": f"Bearer {HIDDEN_TOKEN}"}, id="bearer in base64"),
        pytest.param({"X_Authorization": INTERNAL_TOKEN}, id="header of another name"),
        pytest.param({"If_None_Match": INTERNAL_TOKEN}, id="condition"),
    ],
)
def test_our_tokens_never_go_up(upstream: RecordingUpstream, client: Client, headers: dict[str, str]) -> None:
    """Not with a publish, not with a read, in no header, query or body, plain or in base64."""
    upstream.publish("lodash", "1.0.0")
    for method, path in (
        ("PUT", "/lodash"),
        ("DELETE", "/lodash/-rev/1"),
        ("GET", f"/lodash?t={INTERNAL_TOKEN}"),
        ("GET", "/lodash/-/lodash-1.0.0.tgz"),
        ("HEAD", "/lodash"),
        ("GET", "/-/npm/v1/keys"),
    ):
        client.ask(method, path, **headers)
    for secret in ("nproxy_", TOKEN_IN_BASIC, TOKEN_AS_USER, HIDDEN_TOKEN):
        assert upstream.asked(secret) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("PUT", "/@acmee/x", id="publish under a mistyped scope"),
        pytest.param("PUT", "/utils", id="publish without a scope"),
        pytest.param("PUT", "/utils/-rev/1-a", id="unpublish a version"),
        pytest.param("DELETE", "/utils/-rev/1-a", id="unpublish"),
        pytest.param("DELETE", "/utils/-/utils-1.0.0.tgz/-rev/1-a", id="unpublish a tarball"),
        pytest.param("PUT", "/-/package/utils/dist-tags/next", id="tag"),
        pytest.param("DELETE", "/-/package/utils/dist-tags/next", id="untag"),
    ],
)
@pytest.mark.parametrize("authorization", ["", f"Bearer {INTERNAL_TOKEN}"], ids=["no token", "our token"])
def test_write_without_the_upstreams_token_stays_here(
    upstream: RecordingUpstream, client: Client, method: str, path: str, authorization: str
) -> None:
    """A private tarball under a mistyped name is sent to nobody; the sentence names the scope that was meant."""
    document = publish_document("@acmee/x", "1.0.0")
    response = client.ask(method, path, document if method == "PUT" else b"", Authorization=authorization)
    assert (response.status, response.json["code"]) == (401, "no-upstream-token")
    assert "the internal scopes of this organization are @acme." in response.json["error"]
    assert response.headers["npm-notice"] == response.json["error"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        pytest.param([], "no internal scopes yet.", id="none"),
        pytest.param(["@b", "@a"], "are @a, @b.", id="two"),
        pytest.param([f"@s{n:03}" for n in range(100)], "@s008, @s009 and 90 more.", id="many"),
    ],
)
def test_refused_write_names_the_scopes(upstream: RecordingUpstream, scopes: list[str], words: str) -> None:
    """As many as one reads in a sentence."""
    client = Client(upstream.url, settings=FixedSettings(scopes))
    assert client.ask("PUT", "/utils", {}, Authorization="").json["error"].endswith(words)


@pytest.mark.parametrize(
    ("reply", "status", "sentence"),
    [
        pytest.param(json_reply({"error": "Too old."}, 403), 403, "Too old.", id="error"),
        pytest.param(json_reply({"message": "Too new."}, 409), 409, "Too new.", id="message"),
        pytest.param(json_reply({"error": {"a": 1}, "reason": "Odd."}, 422), 422, "Odd.", id="reason"),
        pytest.param(json_reply({"errors": [{"message": "Blocked."}]}, 403), 403, "Blocked.", id="errors"),
        pytest.param(json_reply(["x"], 402), 402, "The upstream registry refused this with 402.", id="no object"),
        pytest.param(Reply(400, b"<html>no</html>"), 400, "The upstream registry refused this with 400.", id="HTML"),
        pytest.param(Reply(404, b""), 404, "The upstream registry refused this with 404.", id="empty"),
        pytest.param(Reply(499, b""), 400, "The upstream registry refused this with 499.", id="unknown status"),
    ],
)
def test_refused_writes_have_a_sentence(
    upstream: RecordingUpstream, client: Client, reply: Reply, status: int, sentence: str
) -> None:
    """A string `error`, always: without it yarn classic prints success."""
    upstream.on("PUT", "/lodash", reply)
    response = client.ask("PUT", "/lodash", {})
    assert (response.status, response.json["error"]) == (status, sentence)
    assert response.json["requestId"]


@pytest.mark.parametrize(("status", "expected"), [(429, 503), (503, 503), (500, 502), (504, 504), (304, 502)])
def test_failed_writes_are_not_relayed(upstream: RecordingUpstream, client: Client, status: int, expected: int) -> None:
    """The upstream's own failure is ours to explain, with the wait it asked for."""
    upstream.on("PUT", "/lodash", Reply(status, b"<html>", {"Retry-After": "7"}))
    response = client.ask("PUT", "/lodash", {})
    assert response.status == expected
    assert response.headers.get("Retry-After") == ("7" if expected == 503 else None)


@pytest.mark.parametrize("body", [b'{"error": "no", "ok": true}', b"", b"created", b"[1]"])
def test_successful_writes_never_say_error(upstream: RecordingUpstream, client: Client, body: bytes) -> None:
    """yarn classic takes a 2xx with `error` for a failure; other clients want JSON."""
    upstream.on("PUT", "/lodash", Reply(201, body))
    response = client.ask("PUT", "/lodash", {})
    assert response.status == 201
    assert "error" not in response.json


def test_no_content_is_relayed_as_such(upstream: RecordingUpstream, client: Client) -> None:
    """204 has neither body nor type."""
    upstream.on("DELETE", "/lodash/-rev/1", Reply(204))
    response = client.ask("DELETE", "/lodash/-rev/1")
    assert (response.status, response.body) == (204, b"")


def test_one_time_password_challenge_comes_down(upstream: RecordingUpstream, client: Client) -> None:
    """npm asks its user for the code when it sees the challenge."""
    challenge = json_reply({"error": "otp"}, 401, WWW_Authenticate="OTP", npm_notice=f"See {upstream.url}/help")
    upstream.on("PUT", "/lodash", challenge)
    response = client.ask("PUT", "/lodash", {}, Authorization="Bearer npm_x")
    assert (response.status, response.headers["WWW-Authenticate"]) == (401, "OTP")
    assert response.headers["npm-notice"] == f"See {BASE}/help"


def test_packument_that_comes_back_names_the_upstream_again(upstream: RecordingUpstream, client: Client) -> None:
    """To deprecate a version, npm sends the packument it was given: our address is not the upstream's business."""
    upstream.publish("lodash", "1.0.0", {"homepage": f"{upstream.url}/about"})
    given = client.get("/lodash?write=true").json
    given["versions"]["1.0.0"]["deprecated"] = "old"
    client.ask("PUT", "/lodash", given, Authorization="Bearer npm_upstream")
    sent = upstream.requests[-1]
    assert b"npm.acme.example" not in sent.body
    manifest = json.loads(sent.body)["versions"]["1.0.0"]
    assert manifest["dist"]["tarball"] == f"{upstream.url}/lodash/-/lodash-1.0.0.tgz"
    assert (manifest["homepage"], manifest["deprecated"]) == (f"{upstream.url}/about", "old")


def test_large_publish_is_streamed(upstream: RecordingUpstream, client: Client) -> None:
    """As it came, and to its end when the upstream has long refused it."""
    body = document(17 * 2**20)
    assert client.ask("PUT", "/lodash", body).status == 201
    assert upstream.requests[-1].body == body


@pytest.mark.parametrize("lingers", [False, True], ids=["plain server", "server that lingers"])
def test_upstream_that_refuses_early_is_heard(lingers: bool) -> None:
    """It need not take the whole body to refuse it. The rest is read all the same, by us or by a server that can."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            with server.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 15\r\n\r\n" + b'{"error": "no"}')
                connection.shutdown(socket.SHUT_RDWR)

        thread = Thread(target=refuse)
        thread.start()
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}")
        source = io.BytesIO(document(30 * 2**20))
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "PUT",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/lodash",
            "QUERY_STRING": "",
        }
        environ |= {"CONTENT_LENGTH": str(30 * 2**20), "wsgi.input": source, "HTTP_AUTHORIZATION": "Bearer npm_x"}
        setup_testing_defaults(environ)
        lingered: list[bool] = []
        environ |= {LINGER: lambda: lingered.append(True)} if lingers else {}
        seen: list[str] = []
        chunks = client.app(environ, lambda status, headers, exc_info=None: seen.append(status))
        chunks.close()
        thread.join()
    assert seen[0][:3] in {"403", "502"}  # the kernel may drop an answer whose connection is reset
    assert (source.read() == b"") is not lingers
    assert bool(lingered) is lingers


def test_too_large_publish_is_refused_before_the_upstream_hears_of_it(upstream: RecordingUpstream) -> None:
    """Decided by Content-Length where there is one."""
    client = Client(upstream.url, max_publish=1000)
    assert client.ask("PUT", "/lodash", document(1001)).status == 413
    assert upstream.requests == []
    assert client.ask("PUT", "/lodash", document(1000)).status == 201


@pytest.mark.parametrize("size", [100, 17 * 2**20], ids=["small", "large"])
@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b'{"_id":"@acme/zing","name":"@acme/zing"', id="internal"),
        pytest.param(b'{"_id":"lodasher"', id="another"),
        pytest.param(b'["_id"', id="no object"),
    ],
)
def test_document_of_another_package_is_refused(upstream: RecordingUpstream, beginning: bytes, size: int) -> None:
    """Under a public name, an internal package's document would go up unseen."""
    client = Client(upstream.url)
    refused = client.ask("PUT", "/lodash", document(size, beginning), Authorization="Bearer npm_upstream")
    assert (refused.status, upstream.requests) == (400, [])


def test_compressed_document_is_refused(upstream: RecordingUpstream, client: Client) -> None:
    """No client sends one, and nobody could see whose it is."""
    assert client.ask("PUT", "/lodash", document(100), Content_Encoding="gzip").status == 400
    assert upstream.requests == []


def test_cut_publish_never_looks_complete_to_the_upstream(upstream: RecordingUpstream, client: Client) -> None:
    """What the client did not send to its end does not arrive as a whole request."""
    response, chunks = client.start("PUT", "/lodash", document(20), {"Authorization": "Bearer npm_upstream"})
    chunks.close()
    assert response.status == 201
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "PUT", "SCRIPT_NAME": "", "PATH_INFO": "/lodash", "QUERY_STRING": "",
        "CONTENT_LENGTH": "100", "wsgi.input": io.BytesIO(b"x" * 10), "HTTP_AUTHORIZATION": "Bearer npm_x",
    }  # fmt: skip
    setup_testing_defaults(environ)
    seen: list[str] = []
    chunks = client.app(environ, lambda status, headers, exc_info=None: seen.append(status))
    chunks.close()
    assert [status[:4] for status in seen] == ["400 "]


@pytest.mark.parametrize(
    ("status", "told"), [(201, True), (200, True), (401, False), (409, False), (500, True), (503, True)]
)
def test_change_is_told(upstream: RecordingUpstream, status: int, told: bool) -> None:
    """What was changed, or may have been, is told; what the upstream refused to change is not."""
    changed: list[str] = []
    client = Client(upstream.url, changed=lambda name: changed.append(str(name)))
    upstream.on("PUT", "/lodash", json_reply({}, status))
    client.ask("PUT", "/lodash", {"_id": "lodash", "versions": {}}, Authorization="Bearer npm_upstream")
    assert changed == ["lodash"] * told
