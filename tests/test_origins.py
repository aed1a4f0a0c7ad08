"""URLs of upstreams and origins: what is one, and how they are compared."""

from __future__ import annotations

import pytest

from nproxy_mw.upstream.origins import parse_origin, parse_upstream, split_url
from nproxy_mw.upstream.transport import Urllib3Transport


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("upstream.example", id="no scheme"),
        pytest.param("//upstream.example", id="no scheme, slashes"),
        pytest.param("ftp://upstream.example", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("http://", id="no host"),
        pytest.param("http://:80", id="port alone"),
        pytest.param("http://upstream.example:0", id="port 0"),
        pytest.param("http://upstream.example:99999", id="port too large"),
        pytest.param("http://upstream.example?x=1", id="query"),
        pytest.param("http://upstream.example#x", id="fragment"),
        pytest.param("http://upstream.example/a b", id="space"),
        pytest.param("http://upstream.example\\@evil.example", id="backslash"),
        pytest.param("http://upstream.example/\r\nX: y", id="line break"),
        pytest.param("http://üpstream.example", id="not ASCII"),
    ],
)
def test_upstream_url_that_is_none_is_refused_at_start(url: str) -> None:
    """A wrong deployment fails when it is built, with a sentence that does not repeat the URL."""
    with pytest.raises(ValueError, match=r"^The upstream URL must .*\.$") as caught:
        Urllib3Transport(url.replace("//", "//user:secret@"))
    assert "secret" not in str(caught.value)


def test_upstream_url_is_split_into_origin_prefix_and_credentials() -> None:
    """Credentials never show in repr or str."""
    parsed = parse_upstream("HTTPS://user:p%40ss@Upstream.Example/npm/")
    assert str(parsed) == "https://upstream.example/npm"
    assert parsed.authorization == "Basic dXNlcjpwQHNz"
    shown = repr(parsed) + repr(Urllib3Transport("https://user:p%40ss@upstream.example/npm/"))
    assert "p%40ss" not in shown
    assert "dXNlcjpwQHNz" not in shown


@pytest.mark.parametrize(
    "url", ["https://user@files.example", "https://files.example/x", "https://files.example#x", "x"]
)
def test_allowed_origin_is_an_origin_alone(url: str) -> None:
    """An allowed origin with a path would promise a narrower wall than there is."""
    with pytest.raises(ValueError, match="origin"):
        parse_origin(url)


def test_origins_are_compared_by_scheme_host_and_port() -> None:
    """The default port and upper case do not make another origin; a trailing dot and a port do."""
    origin = split_url("https://files.example/x")[0]
    assert split_url("HTTPS://FILES.example:443/y?z=1") == (origin, "/y?z=1")
    for differing in ("http://files.example", "https://files.example:8443", "https://files.example.", "https://[::1]"):
        assert split_url(differing)[0] != origin
