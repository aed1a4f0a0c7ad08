"""What a client asks for, and how an answer is sent."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.http import messages
from nproxy_mw.http.messages import (
    ABBREVIATED,
    File,
    Response,
    is_head,
    is_read,
    json_response,
    not_modified,
    send,
)
from nproxy_mw.http.negotiation import (
    LONGEST,
    LONGEST_COOKIES,
    accepts_gzip,
    cookie,
    etag_matches,
    form_wanted,
    is_for_write,
)
from nproxy_mw.http.sites import base_url
from nproxy_mw.npm.forms import Form


def environ(**more):
    return {
        "REQUEST_METHOD": "GET",
        "wsgi.url_scheme": "https",
        "HTTP_HOST": "npm.acme.example",
        "SERVER_NAME": "backend",
        "SERVER_PORT": "8080",
        **more,
    }


@pytest.mark.parametrize(
    ("more", "url"),
    [
        pytest.param({}, "https://npm.acme.example", id="host"),
        pytest.param({"HTTP_HOST": "npm.acme.example:4874"}, "https://npm.acme.example:4874", id="port"),
        pytest.param({"HTTP_HOST": "[::1]:4874"}, "https://[::1]:4874", id="IPv6"),
        pytest.param({"HTTP_HOST": "under_score"}, "https://under_score", id="underscore"),
        pytest.param({"HTTP_HOST": ""}, "https://backend:8080", id="no Host, as HTTP/1.0 allows"),
        pytest.param({"SCRIPT_NAME": "/npm"}, "https://npm.acme.example/npm", id="prefix"),
        pytest.param({"SCRIPT_NAME": "/npm/"}, "https://npm.acme.example/npm", id="prefix with a slash"),
        pytest.param({"SCRIPT_NAME": "/a b"}, "https://npm.acme.example/a%20b", id="prefix with a space"),
        pytest.param({"SCRIPT_NAME": "/~x(1)"}, "https://npm.acme.example/~x(1)", id="prefix with marks"),
        pytest.param({"SCRIPT_NAME": "/Ã©"}, "https://npm.acme.example/%C3%A9", id="prefix not ASCII"),
        pytest.param({"wsgi.url_scheme": "http"}, "http://npm.acme.example", id="http"),
        pytest.param({"HTTP_X_FORWARDED_HOST": "evil.example"}, "https://npm.acme.example", id="untrusted header"),
    ],
)
def test_base_url_follows_the_request(more, url):
    """Where clients reach the registry is what the server says of the request."""
    assert base_url(environ(**more)) == url


@pytest.mark.parametrize("given", ["https://npm.acme.example/npm", "https://npm.acme.example/npm/"])
def test_public_url_wins(given):
    """A URL that was configured is the one, whatever a client puts into Host."""
    assert base_url(environ(HTTP_HOST="evil<"), given) == "https://npm.acme.example/npm"


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "a/b",
        "evil@host",
        "a\r\nX: y",
        "a:b",
        "a:123456",
        "[::1",
        "é",
        "<script>",
        "a,b",
        "a?b",
        "a#b",
        "a\\b",
        ":80",
    ],
)
def test_host_that_is_none_is_refused(host):
    """What is no host never gets into a URL."""
    with pytest.raises(BadRequest) as caught:
        base_url(environ(HTTP_HOST=host))
    assert caught.value.code == "invalid-host"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("", False, id="none, as yarn 4"),
        pytest.param("application/json", False, id="npm install"),
        pytest.param("*/*", False, id="npm deprecate"),
        pytest.param(f"{ABBREVIATED}; q=1.0, application/json; q=0.8, */*", True, id="npm, pnpm, yarn 1, bun"),
        pytest.param(ABBREVIATED, True, id="alone"),
        pytest.param(f"application/json, {ABBREVIATED};q=0.5", False, id="full preferred"),
        pytest.param(f"application/json;q=0.5, {ABBREVIATED}", True, id="abbreviated preferred"),
        pytest.param(f"{ABBREVIATED};q=0, application/json", False, id="refused"),
        pytest.param("application/vnd.npm.install-v2+json", False, id="another version"),
        pytest.param(f"{ABBREVIATED};q=x,;,=", False, id="broken parameters"),
    ],
)
def test_form_follows_accept(accept, expected):
    """The abbreviated form is for those who prefer it."""
    expected_form = Form.ABBREVIATED if expected else Form.FULL
    assert form_wanted(environ(HTTP_ACCEPT=accept), slim=True) is expected_form


@pytest.mark.parametrize("command", ["install", "ci", "update", "exec", "dedupe", "install-test"])
def test_slim_form_is_for_commands_that_install(command):
    """It is offered where npm asks for the full form to install, unless it is switched off."""
    asked = environ(HTTP_ACCEPT="application/json", HTTP_NPM_COMMAND=command)
    assert form_wanted(asked, slim=True) is Form.SLIM
    assert form_wanted(asked, slim=False) is Form.FULL
    assert form_wanted({**asked, "HTTP_ACCEPT": ABBREVIATED}, slim=True) is Form.ABBREVIATED


@pytest.mark.parametrize("command", ["", "view", "pack", "audit", "deprecate", "query", "publish", "Install"])
def test_other_commands_get_the_full_form(command):
    """Commands that show a packument to people, or check it, get all of it."""
    assert form_wanted(environ(HTTP_NPM_COMMAND=command), slim=True) is Form.FULL


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("", False, id="none"),
        pytest.param("gzip,deflate", True, id="npm"),
        pytest.param("zstd,gzip,deflate", True, id="pnpm 12"),
        pytest.param("identity", False, id="identity"),
        pytest.param("gzip;q=0", False, id="refused"),
        pytest.param("gzip;q=0.0, br", False, id="refused in another way"),
        pytest.param("br;q=1.0, gzip;q=0.8, *;q=0.1", True, id="with q"),
    ],
)
def test_gzip_follows_accept_encoding(accept, expected):
    """Gzip is for those who take it."""
    assert accepts_gzip(environ(HTTP_ACCEPT_ENCODING=accept)) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param('"abc"', True, id="the one"),
        pytest.param('W/"abc"', True, id="weak"),
        pytest.param('"x", "abc"', True, id="among several"),
        pytest.param("*", True, id="any"),
        pytest.param('"x"', False, id="another"),
        pytest.param("", False, id="none"),
        pytest.param('"ab', False, id="broken"),
    ],
)
def test_etag_is_compared_weakly(header, expected):
    """If-None-Match is compared as RFC 9110 section 13.1.2 says."""
    assert etag_matches(environ(HTTP_IF_NONE_MATCH=header), '"abc"') is expected


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_header_has_a_meaning(header):
    """No header that a client sends makes a layer fail."""
    asked = environ(
        HTTP_ACCEPT=f"{ABBREVIATED},{header}", HTTP_ACCEPT_ENCODING=f"gzip,{header}", HTTP_IF_NONE_MATCH=header
    )
    assert form_wanted(asked, slim=True) in Form
    assert accepts_gzip(asked) in (True, False)
    assert etag_matches(asked, '"0123456789abcdef"') in (True, False)


def test_long_headers_are_read_quickly():
    """A header of any length that is parsed takes no time worth naming."""
    asked = environ(HTTP_IF_NONE_MATCH='"' * LONGEST, HTTP_ACCEPT=(ABBREVIATED + ";q=0.1,") * 48)
    assert not etag_matches(asked, '"abc"')
    assert form_wanted(asked, slim=True) is Form.ABBREVIATED


@pytest.mark.parametrize(
    ("function", "key"),
    [
        pytest.param(lambda asked: form_wanted(asked, slim=False) is Form.ABBREVIATED, "HTTP_ACCEPT", id="Accept"),
        pytest.param(accepts_gzip, "HTTP_ACCEPT_ENCODING", id="Accept-Encoding"),
        pytest.param(lambda asked: etag_matches(asked, '"abc"'), "HTTP_IF_NONE_MATCH", id="If-None-Match"),
        pytest.param(is_for_write, "QUERY_STRING", id="query"),
    ],
)
def test_header_that_is_too_long_counts_as_not_sent(function, key):
    """What no client sends reaches no parser: its time can grow faster than the header."""
    value = {
        "HTTP_ACCEPT": f"{ABBREVIATED}, ",
        "HTTP_ACCEPT_ENCODING": "gzip, ",
        "HTTP_IF_NONE_MATCH": '"abc", ',
        "QUERY_STRING": "write=true&",
    }[key]
    assert function(environ(**{key: value + "x" * (LONGEST - len(value))}))
    assert not function(environ(**{key: value + "x" * (LONGEST - len(value) + 1)}))


@pytest.mark.parametrize(
    ("header", "value"),
    [
        pytest.param("a=1; b=2", "1", id="among others"),
        pytest.param("b=2", "", id="none"),
        pytest.param("", "", id="no cookies"),
        pytest.param("b=\xff\xfe; a=1", "1", id="behind one that is not UTF-8"),
        pytest.param("a=\xff", "\ufffd", id="not UTF-8 itself"),
        pytest.param("a=\xc3\xa9", "é", id="UTF-8"),
        pytest.param("a=1; b=" + "x" * LONGEST_COOKIES, "", id="too long"),
    ],
)
def test_cookie_is_found_among_any_others(header, value):
    """What other applications at this host keep in a browser is not in our way."""
    assert cookie(environ(HTTP_COOKIE=header), "a") == value


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_cookies_can_be_read(header):
    """No header makes the reading fail."""
    assert isinstance(cookie(environ(HTTP_COOKIE=header), "a"), str)


@pytest.mark.parametrize(
    ("method", "read", "head"), [("GET", True, False), ("HEAD", True, True), ("PUT", False, False)]
)
def test_head_is_a_read(method, read, head):
    """Layers decide alike for GET and HEAD; only the body differs."""
    asked = environ(REQUEST_METHOD=method)
    assert (is_read(asked), is_head(asked)) == (read, head)


class Closing:
    """A body that remembers what was done with it."""

    def __init__(self):
        self.is_read = self.is_closed = False

    def __iter__(self):
        self.is_read = True
        yield b"abc"

    def close(self):
        self.is_closed = True


def sent(response, method="GET", **more):
    """What a server is told, and the body's pieces."""
    begun = []
    body = send(environ(REQUEST_METHOD=method, **more), lambda *line: begun.append(line), response)
    ((status, headers),) = begun
    return status, dict(headers), body


def test_bytes_are_sent_with_their_length():
    """One piece, its length, and no guessing at its type."""
    status, headers, body = sent(json_response({"a": 1}, 201, [("X-A", "b")]))
    assert (status, list(body)) == ("201 Created", [b'{"a":1}'])
    assert headers == {
        "Content-Type": "application/json",
        "X-A": "b",
        "X-Content-Type-Options": "nosniff",
        "Content-Length": "7",
    }


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(lambda stream: Response(200, [("Content-Length", "3")], stream), id="stream"),
        pytest.param(lambda stream: Response(200, [], File(stream, 3)), id="file"),
    ],
)
def test_body_that_is_not_sent_is_closed(response, monkeypatch):
    """A HEAD has the headers of the GET, reads nothing, and leaves nothing open."""
    monkeypatch.setattr(messages, "ONE_PIECE_UNSENT", 0)
    got, head = Closing(), Closing()
    _, headers, _ = sent(response(got))
    status, head_headers, body = sent(response(head), "HEAD")
    assert (status, head_headers, list(body)) == ("200 OK", headers, [])
    assert headers["Content-Length"] == "3"
    assert (head.is_read, head.is_closed) == (False, True)
    assert not got.is_closed


def test_body_is_closed_when_the_server_refuses_the_headers():
    """Nothing leaks when an answer cannot be begun."""
    stream = Closing()

    def refuse(*line):
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised three lines above
        send(environ(), refuse, Response(200, [], stream))
    assert stream.is_closed


@pytest.mark.parametrize("response", [Response(204), not_modified('"a"')], ids=["204", "304"])
def test_answers_without_a_body_have_no_length(response):
    """RFC 9110 section 8.6: a 204 has no Content-Length; a 304 would have to repeat that of the 200."""
    _, headers, body = sent(response)
    assert "Content-Length" not in headers
    assert list(body) == []


def test_file_is_handed_to_the_servers_wrapper():
    """A server that can send a file without Python is given it."""
    stream = Closing()
    response = Response(200, [], File(stream, messages.ONE_PIECE + 1))
    _, _, body = sent(response, **{"wsgi.file_wrapper": lambda *given: given})
    assert body[0] is stream


@pytest.mark.parametrize(
    ("size", "wrapper"),
    [
        (3, {"wsgi.file_wrapper": lambda *given: given}),
        (messages.ONE_PIECE, {"wsgi.file_wrapper": lambda *given: given}),
        (messages.ONE_PIECE_UNSENT, {}),
    ],
    ids=["small", "as large as it may be", "a server that cannot send files"],
)
def test_small_file_goes_out_with_the_headers(size, wrapper):
    """In one piece, and it is closed."""
    data = b"a" * size
    stream = io.BytesIO(data)
    _, headers, body = sent(Response(200, [], File(stream, size)), **wrapper)
    assert (body, headers["Content-Length"], stream.closed) == ([data], str(size), True)


def test_large_file_is_read_in_pieces():
    """A server that cannot send files is given no more at a time than it has to hold."""
    size = messages.ONE_PIECE_UNSENT + 1
    _, _, body = sent(Response(200, [], File(io.BytesIO(b"a" * size), size)))
    assert [len(piece) for piece in body] == [messages.CHUNK] * (size // messages.CHUNK) + [1]
