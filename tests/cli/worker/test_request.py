"""ClientRequest: one request, as gunicorn reads it and as RFC 9112 means it."""

from __future__ import annotations

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.cli.worker.request import ClientRequest, check_partial, head_end

CLIENT = ("192.0.2.1", 1)


def request(line, *headers):
    return ClientRequest(Config(), "\r\n".join([line, *headers, "", ""]).encode(), CLIENT, 1)


@given(data=st.text("ab\r\n", max_size=30), cuts=st.sets(st.integers(0, 30)))
def test_head_ends_where_it_ends(data, cuts):
    """However it came, piece by piece."""
    whole = data.encode()
    searched, end = 0, -1
    for size in sorted({*(cut for cut in cuts if cut < len(whole)), len(whole)}):
        end = head_end(whole[:size], searched)
        if end >= 0:
            break
        searched = size
    expected = whole.find(b"\r\n\r\n")
    assert end == (expected + 4 if expected >= 0 else -1)


def test_head_without_an_end_may_go_on():
    """Up to its limit."""
    check_partial(b"GET / HTTP/1.1\r\nA: b\r", 21)
    with pytest.raises(LimitRequestHeaders):
        check_partial(b"GET / HTTP/1.1\r\nA: b\r", 20)
    with pytest.raises(InvalidRequestLine):
        check_partial(b"GET / HTTP/1.1\nA: b", 1000)


@pytest.mark.parametrize(
    ("target", "host"),
    [
        pytest.param("/", "a", id="a path"),
        pytest.param("http://b/", "b", id="a URL"),
        pytest.param("HTTPS://b.example:8443/x?y", "b.example:8443", id="a URL with a port"),
        pytest.param("http://[::1]:80", "[::1]:80", id="a URL without a path"),
        pytest.param("http://b?c", "b", id="a URL with a query alone"),
    ],
)
def test_whole_url_says_the_host(target, host):
    """RFC 9112 section 3.2.2, also where there is another Host or none."""
    for headers in (["Host: a", "X: y"], ["X: y"]):
        found = dict(request(f"GET {target} HTTP/1.1", *headers).headers)
        assert found == {"X": "y", **({"HOST": host} if host != "a" or len(headers) > 1 else {})}


@pytest.mark.parametrize("target", ["http://a@b/", "http:///x", "http://", "://b/"])
def test_url_without_a_plain_host_is_refused(target):
    """Two readers would not agree on it."""
    with pytest.raises(InvalidRequestLine):
        request(f"GET {target} HTTP/1.1", "Host: a")


@pytest.mark.parametrize(("line", "target"), [("OPTIONS * HTTP/1.1", "*"), ("CONNECT b:1 HTTP/1.1", "b:1")])
def test_other_targets_are_left_alone(line, target):
    """Those that are no URL."""
    found = request(line, "Host: a")
    assert (found.uri, found.headers) == (target, [("HOST", "a")])


@pytest.mark.parametrize(
    ("headers", "length"),
    [([], 0), (["Content-Length: 0"], 0), (["Content-Length: 7"], 7), (["Transfer-Encoding: chunked"], None)],
)
def test_length_of_the_body(headers, length):
    """None when nobody knows it."""
    assert request("PUT / HTTP/1.1", "Host: a", *headers).length == length


def test_expectation_is_not_answered_by_gunicorn():
    """Which would do so before the application has seen the head."""
    found = request("PUT / HTTP/1.1", "Host: a", "Content-Length: 7", "Expect: 100-continue")
    assert (found.expects_continue, found._expected_100_continue) == (True, False)
    assert not request("PUT / HTTP/1.1", "Host: a").expects_continue
