"""What a client asks for, and how an answer is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.http import messages

ABBREVIATED = messages.ABBREVIATED


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
    assert messages.base_url(environ(**more)) == url


@pytest.mark.parametrize("given", ["https://npm.acme.example/npm", "https://npm.acme.example/npm/"])
def test_public_url_wins(given):
    """A URL that was configured is the one, whatever a client puts into Host."""
    assert messages.base_url(environ(HTTP_HOST="evil<"), given) == "https://npm.acme.example/npm"


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
        messages.base_url(environ(HTTP_HOST=host))
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
    assert messages.wants_abbreviated(environ(HTTP_ACCEPT=accept)) is expected


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
    assert messages.accepts_gzip(environ(HTTP_ACCEPT_ENCODING=accept)) is expected


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
    assert messages.etag_matches(environ(HTTP_IF_NONE_MATCH=header), '"abc"') is expected


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_header_has_a_meaning(header):
    """No header that a client sends makes a layer fail."""
    asked = environ(
        HTTP_ACCEPT=f"{ABBREVIATED},{header}", HTTP_ACCEPT_ENCODING=f"gzip,{header}", HTTP_IF_NONE_MATCH=header
    )
    assert messages.wants_abbreviated(asked) in (True, False)
    assert messages.accepts_gzip(asked) in (True, False)
    assert messages.etag_matches(asked, '"0123456789abcdef"') in (True, False)


def test_long_headers_are_read_quickly():
    """A header of the length that servers let through takes no time worth naming."""
    asked = environ(HTTP_IF_NONE_MATCH='"' * 8000, HTTP_ACCEPT=(ABBREVIATED + ";q=0.1,") * 150)
    assert not messages.etag_matches(asked, '"abc"')
    assert messages.wants_abbreviated(asked)


@pytest.mark.parametrize(
    ("verb", "expected", "head"), [("GET", "GET", False), ("HEAD", "GET", True), ("PUT", "PUT", False)]
)
def test_head_is_a_get_without_a_body(verb, expected, head):
    """Layers decide by GET and leave the body out in one place."""
    asked = environ(REQUEST_METHOD=verb)
    assert (messages.method(asked), messages.is_head(asked)) == (expected, head)


def test_ask_reads_a_plain_get_of_the_layers_below():
    """One layer asks another for a document: a GET without conditions or encodings, its iterable closed."""
    seen, closed = [], []

    class Body(list):
        def close(self):
            closed.append(True)

    def below(environ, start_response):
        seen.append(environ)
        start_response("200 OK", [])(b"")
        return Body([b"a", b"b"])

    asked = environ(REQUEST_METHOD="HEAD", HTTP_IF_NONE_MATCH="x", HTTP_ACCEPT_ENCODING="gzip", HTTP_RANGE="bytes=0-")
    assert messages.ask(below, asked) == (200, b"ab")
    assert seen[0]["REQUEST_METHOD"] == "GET"
    assert not {"HTTP_IF_NONE_MATCH", "HTTP_ACCEPT_ENCODING", "HTTP_RANGE"} & seen[0].keys()
    assert closed
