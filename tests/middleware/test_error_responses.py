"""ErrorResponses: every error is npm's JSON, HEAD has no body, a body on its way is drained first."""

from __future__ import annotations

import io
import logging
from contextvars import copy_context
from http import HTTPStatus

import pytest
from support.client import Client
from support.layers import say

from nproxy_mw.errors import (
    BadRequest,
    Busy,
    Changed,
    Conflict,
    Exists,
    Forbidden,
    MethodNotAllowed,
    Missing,
    MissingLayer,
    NotFound,
    NproxyError,
    PayloadTooLarge,
    TooManyRequests,
    Unauthenticated,
    UpstreamUnavailable,
)
from nproxy_mw.http import bodies
from nproxy_mw.http.context import REQUEST_ID
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.observability.logs import REQUEST


def failing(error: BaseException):
    def app(environ, start_response):
        raise error

    return Client(ErrorResponses(app))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        pytest.param(BadRequest("No."), 400, "bad-request", id="400"),
        pytest.param(BadRequest("No.", code="invalid-name"), 400, "invalid-name", id="own code"),
        pytest.param(Unauthenticated("No."), 401, "unauthenticated", id="401"),
        pytest.param(NotFound("No."), 404, "not-found", id="404"),
        pytest.param(PayloadTooLarge("No."), 413, "payload-too-large", id="413"),
        pytest.param(UpstreamUnavailable("No."), 502, "upstream-unavailable", id="502"),
    ],
)
def test_error_becomes_json_with_its_sentence(error, status, code):
    """The body has the sentence, the code and the request's id, and must not be kept."""
    response = failing(error).get("/x")
    assert (response.status, response.error, response.code) == (status, "No.", code)
    assert response.headers["cache-control"] == "no-store"


def test_error_brings_its_headers():
    """Allow, Retry-After and WWW-Authenticate stand beside the body."""
    assert failing(MethodNotAllowed("No.", allow=("GET", "HEAD"))).put("/x").headers["allow"] == "GET, HEAD"
    assert failing(Busy("No.", retry_after=7)).get("/x").headers["retry-after"] == "7"
    assert "No." in failing(Unauthenticated("No.")).get("/x").headers["www-authenticate"]


def test_error_brings_its_details():
    """Members of the body that an error adds stand beside its sentence."""

    class Told(BadRequest):
        def details(self):
            return {"rules": ["malware"]}

    assert failing(Told("No.")).get("/x").json["rules"] == ["malware"]


@pytest.mark.parametrize(
    "bug",
    [
        pytest.param(KeyError("secret"), id="KeyError"),
        pytest.param(RuntimeError("secret"), id="RuntimeError"),
        pytest.param(Missing("secret"), id="storage Missing"),
        pytest.param(Exists("secret"), id="storage Exists"),
        pytest.param(Changed("secret"), id="storage Changed"),
    ],
)
def test_bug_is_a_logged_500_without_details(bug, caplog):
    """What is not meant for a client is told to the log alone."""
    with caplog.at_level(logging.ERROR):
        response = failing(bug).get("/x")
    assert (response.status, response.code) == (500, "internal-error")
    assert b"secret" not in response.body
    assert response.json["requestId"] in caplog.text
    assert "secret" in caplog.text


def test_missing_layer_names_the_cure(caplog):
    """A mistake in the composition says what to put where, and is logged."""
    response = failing(MissingLayer("Put ScopeRouter outside this layer.")).get("/x")
    assert (response.status, response.code) == (500, "missing-layer")
    assert response.error == "Put ScopeRouter outside this layer."
    assert "failed" in caplog.text


def test_head_gets_the_headers_of_get_and_no_body():
    """An error answers HEAD with what GET would say, without the body."""
    client = failing(NotFound("No."))
    got, head = client.get("/x"), client.head("/x")
    assert (head.status, head.body) == (404, b"")
    assert set(got.headers) == set(head.headers)
    assert got.headers["content-length"] == head.headers["content-length"]


def test_request_id_is_new_and_never_the_clients():
    """Each request gets an id of ours, in the environ and in the error, whatever header a client sends."""
    seen = []

    def app(environ, start_response):
        seen.append(REQUEST_ID.require(environ, by="app"))
        raise NotFound("No.")

    client = Client(ErrorResponses(app))
    told = [client.get("/x", X_Request_Id="mine").json["requestId"] for _ in range(2)]
    assert told == seen
    assert len(set(seen)) == 2
    assert "mine" not in seen


def test_hosts_environ_is_left_alone():
    """What the host's server handed over is not written to."""
    kept = {}

    def app(environ, start_response):
        return say(environ, start_response, {})

    class Keeping(ErrorResponses):
        def __call__(self, environ, start_response):
            kept.update(environ)
            answer = super().__call__(environ, start_response)
            assert environ == kept
            return answer

    assert Client(Keeping(app)).put("/x", body=b"12").status == 200


def test_error_takes_the_place_of_an_answer_that_was_begun():
    """An error after start_response and before the first byte is still answered."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        raise NotFound("No.")

    assert Client(ErrorResponses(app)).get("/x").status == 404


def test_body_is_drained_before_the_error():
    """Whatever a layer left unread is read before the answer: npm would show a broken pipe instead."""
    source = io.BytesIO(b"x" * 300_000)
    response = failing(PayloadTooLarge("No.")).put("/x", environ={"wsgi.input": source, "CONTENT_LENGTH": "300000"})
    assert response.status == 413
    assert source.tell() == 300_000


@pytest.mark.parametrize(
    ("error", "drained"),
    [
        (Unauthenticated("No."), 1024 * 1024),
        (Forbidden("No."), 1024 * 1024),
        (NotFound("No."), 3 * 1024 * 1024),
        (RuntimeError("bug"), 3 * 1024 * 1024),
    ],
    ids=["401", "403", "404", "500"],
)
def test_little_is_drained_of_who_may_not_send_it(error, drained):
    """Nobody waits for the upload of a client that has no right to it."""
    source = io.BytesIO(bytes(3 * 1024 * 1024))
    failing(error).put("/x", environ={"wsgi.input": source, "CONTENT_LENGTH": str(3 * 1024 * 1024)})
    assert source.tell() == drained


def test_draining_stops_at_its_bound(monkeypatch):
    """Nobody can make a worker read for ever."""
    monkeypatch.setattr(bodies, "DRAIN_LIMIT", 3 * bodies.CHUNK)
    source = io.BytesIO(b"x" * 10 * bodies.CHUNK)
    environ = {"wsgi.input": source, "CONTENT_LENGTH": str(10 * bodies.CHUNK)}
    assert failing(PayloadTooLarge("No.")).put("/x", environ=environ).status == 413
    assert source.tell() == 3 * bodies.CHUNK


def test_draining_stops_when_its_time_is_over(monkeypatch):
    """A slow body does not hold a worker longer than the bound."""
    monkeypatch.setattr(bodies, "DRAIN_SECONDS", -1.0)
    source = io.BytesIO(b"x" * 1000)
    failing(BadRequest("No.")).put("/x", environ={"wsgi.input": source, "CONTENT_LENGTH": "1000"})
    assert source.tell() == 0


class Broken(io.BytesIO):
    """A connection that breaks: servers tell of it in several ways."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def read(self, size=-1):
        raise self.error


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("bad chunk")], ids=["OSError", "ValueError"])
def test_connection_that_breaks_while_draining_does_no_harm(error):
    """The error that was to be answered is answered."""
    environ = {"wsgi.input": Broken(error), "CONTENT_LENGTH": "1000"}
    assert failing(NotFound("No.")).put("/x", environ=environ).status == 404


def test_body_ends_where_content_length_says():
    """A layer that reads to the end meets the body's end, not the next request on the connection."""
    seen = []

    def app(environ, start_response):
        seen.append(environ["wsgi.input"].read(1000))
        return say(environ, start_response, {})

    source = io.BytesIO(b"bodyGET /next HTTP/1.1")
    Client(ErrorResponses(app)).put("/x", environ={"wsgi.input": source, "CONTENT_LENGTH": "4"})
    assert seen == [b"body"]


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None}, 411, id="chunked, not handed over"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "Chunked ", "CONTENT_LENGTH": None}, 411, id="in another case"),
        pytest.param({"CONTENT_LENGTH": "-1"}, 400, id="negative"),
        pytest.param({"CONTENT_LENGTH": "1e3"}, 400, id="no number"),
        pytest.param({"CONTENT_LENGTH": "٣"}, 400, id="a digit of another script"),
    ],
)
def test_body_without_a_usable_length_is_refused(environ, status):
    """A server that does not hand a chunked body over is not taken for one that sent an empty body."""

    def app(environ, start_response):
        raise AssertionError

    # Without the validator: it refuses some of these itself.
    answer = []
    asked = {"REQUEST_METHOD": "PUT", "wsgi.input": io.BytesIO(), **environ}
    asked = {name: value for name, value in asked.items() if value is not None}
    list(ErrorResponses(app)(asked, lambda status, headers, exc_info=None: answer.append(status)))
    assert int(answer[0][:3]) == status


def test_every_leaf_of_the_tree_can_be_answered():
    """No error of the tree that a client may meet makes the answer itself fail."""
    for leaf in (BadRequest, Unauthenticated, NotFound, PayloadTooLarge, Busy, UpstreamUnavailable):
        assert issubclass(leaf, NproxyError)
        assert failing(leaf("No.")).get("/x").status == leaf.status


NPM = {"HTTP_USER_AGENT": "npm/11.19.1 node/v20.20.2 linux x64"}
PNPM = {"HTTP_USER_AGENT": "pnpm/11.28.11 npm/? node/? linux x64"}
LONG = "Yé\x1b\r\n" + "x" * 1000 + "."


@pytest.mark.parametrize(
    ("error", "notice"),
    [
        pytest.param(BadRequest("No."), "No.", id="400"),
        pytest.param(Unauthenticated("No."), "No.", id="401"),
        pytest.param(Forbidden("No."), "No.", id="403"),
        pytest.param(MethodNotAllowed("No.", allow=("GET",)), "No.", id="405"),
        pytest.param(Conflict("No."), "No.", id="409"),
        pytest.param(PayloadTooLarge("No."), "No.", id="413"),
        pytest.param(TooManyRequests("No."), "No.", id="429"),
        pytest.param(NotFound("No."), None, id="404: npm looks for packages that are not there on its own"),
        pytest.param(Busy("No."), None, id="503: npm asks again"),
        pytest.param(KeyError("No."), None, id="500"),
        pytest.param(Conflict(LONG), "Y????" + "x" * 495, id="printable and bounded"),
    ],
)
@pytest.mark.parametrize("client", [NPM, PNPM, {}], ids=["npm", "pnpm", "without a name"])
def test_refusal_stands_where_clients_print_it(error, notice, client):
    """In npm-notice, which npm prints; and in the reason phrase, which pnpm and yarn 4 print, and npm would twice."""
    lines = []

    def app(environ, start_response):
        raise error

    def watched(environ, start_response):
        return ErrorResponses(app)(environ, lambda *line: (lines.append(line[0]), start_response(*line))[1])

    response = Client(watched).get("/x", environ=client)
    assert response.headers.get("npm-notice") == notice
    phrase = lines[0].partition(" ")[2]
    if client is NPM or notice is None:
        assert phrase == HTTPStatus(response.status).phrase
    else:
        assert phrase == notice[:200]


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        pytest.param(Unauthenticated("No."), 'Bearer realm="nproxy", error_description="No."', id="a token"),
        pytest.param(Unauthenticated("No.", scheme="Basic"), 'Basic realm="nproxy"', id="a password"),
    ],
)
def test_401_has_the_challenge_that_suits_it(error, challenge):
    """npm tells a wrong password from a wrong token by it."""
    assert failing(error).get("/x").headers["www-authenticate"] == challenge


@pytest.mark.parametrize(
    ("body", "after"),
    [
        pytest.param([b"all of it"], "", id="whole"),
        pytest.param(iter([b"in ", b"pieces"]), "its own", id="streamed"),
    ],
)
def test_log_of_a_request_has_its_id(body, after):
    """While it is answered; and while its body is sent, when that goes on after the call."""
    seen = []

    def app(environ, start_response):
        seen.append(REQUEST.get())
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "9")])
        return body

    response = copy_context().run(
        lambda: (REQUEST.set(""), Client(ErrorResponses(app)).get("/x"), seen.append(REQUEST.get()))
    )[1]
    assert seen == [response.request_id, after and response.request_id]


def test_failing_request_leaves_no_id_behind():
    """The next line of this thread may be about something else."""
    assert copy_context().run(lambda: (REQUEST.set(""), failing(ValueError("No.")).get("/x"), REQUEST.get()))[2] == ""
