"""How sources on the network are asked: bounded, on one origin, over http and https alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.forks import holds_in_child
from support.ports import silent_url
from support.scripted_web import Reply, ScriptedWeb, as_json, scripted_web

from nproxy_mw.intelligence import web as web_module
from nproxy_mw.intelligence.web import FetchFailed, Web, checked


@pytest.fixture
def server() -> Iterator[ScriptedWeb]:
    with scripted_web() as found:
        yield found


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.setattr(web_module, "_RETRY", web_module._RETRY.new(backoff_factor=0))  # so that nothing waits
    return Web(timeout=60.0)


def got(web: Web, url: str, limit: int = 1000) -> bytes:
    with web.get(url, limit) as file:
        return file.read()


def test_get_and_post(server: ScriptedWeb, web: Web) -> None:
    """A body is handed on as it is; a question goes out as JSON."""
    server.pages = {"/a?b=c": b"hello", "/q": lambda body: Reply(body + b"!")}
    assert got(web, f"{server.url}/a?b=c") == b"hello"
    assert web.post(f"{server.url}/q", b"{}", 100) == b"{}!"
    assert server.headers[1]["Content-Type"] == "application/json"
    assert server.headers[0]["Accept-Encoding"] == "identity"


def test_large_answers_go_to_a_file(server: ScriptedWeb, web: Web) -> None:
    """What is longer than the memory given is kept on disk, and read from its beginning."""
    server.pages = {"/a": b"x" * (9 * 2**20)}
    with web.get(f"{server.url}/a", 10 * 2**20) as file:
        assert file.seek(0, 2) == 9 * 2**20


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        pytest.param(Reply(b"x" * 1001), "more than 1000 bytes", id="too long"),
        pytest.param(Reply(b"", 404), "the answer is 404", id="not there"),
        pytest.param(Reply(b"", 403), "the answer is 403", id="forbidden"),
        pytest.param(Reply(b"part", length=900), "broke off", id="cut"),
        pytest.param(Reply(b"", headers={"Content-Encoding": "gzip"}), "encoded", id="encoded although not asked for"),
        pytest.param(Reply(b"", 302, {"Location": "http://other.example/x"}), "redirects to", id="to another host"),
        pytest.param(Reply(b"", 302, {"Location": "https://127.0.0.1/x"}), "redirects to", id="to another scheme"),
        pytest.param(Reply(b"", 302, {"Location": "file:///etc/passwd"}), "begins with https", id="to a file"),
        pytest.param(Reply(b"", 302, {"Location": "http://u:p@h.example/x"}), "a password", id="with a password"),
        pytest.param(Reply(b"", 302, {"Location": "/a"}), "too often", id="in a circle"),
        pytest.param(Reply(b"", 302), "too often", id="to nowhere"),
    ],
)
def test_refused(server: ScriptedWeb, web: Web, reply: Reply, words: str) -> None:
    """What is not the plain answer is refused in a sentence that says why."""
    server.pages = {"/a": reply}
    with pytest.raises(FetchFailed, match=words):
        got(web, f"{server.url}/a")


def test_status_is_known(server: ScriptedWeb, web: Web) -> None:
    """Whoever asked can tell an answer from none."""
    with pytest.raises(FetchFailed) as caught:
        got(web, f"{server.url}/absent")
    assert caught.value.answered == 404


def test_redirect_on_one_origin(server: ScriptedWeb, web: Web) -> None:
    """A redirect within the origin is followed."""
    server.pages = {"/a": Reply(b"", 301, {"Location": "/b/c"}), "/b/c": b"hello"}
    assert got(web, f"{server.url}/a") == b"hello"


def test_nothing_is_asked_of_another_host(server: ScriptedWeb, web: Web) -> None:
    """The other host of a redirect gets no request, also where it is this machine."""
    with scripted_web() as other:
        server.pages = {"/a": Reply(b"", 302, {"Location": f"{other.url}/secret"})}
        with pytest.raises(FetchFailed, match="configure that address"):
            got(web, f"{server.url}/a")
        assert other.asked == []


def test_answers_are_not_shifted(server: ScriptedWeb, web: Web) -> None:
    """An answer in front of the answer spoils its own question alone: the next one gets its own answer."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    server.pages = {"/a": Reply(b"of a", before=hints), "/b": b"of b", "/c": b"of c"}
    assert got(web, f"{server.url}/b") == b"of b"
    with pytest.raises(FetchFailed, match="the answer is 103"):
        got(web, f"{server.url}/a")
    assert got(web, f"{server.url}/c") == b"of c"


def test_connections_of_another_process(server: ScriptedWeb, web: Web) -> None:
    """A child of a fork opens connections of its own, so that parent and child never read each other's answers."""
    server.pages = {"/a": b"of a"}
    assert got(web, f"{server.url}/a") == b"of a"
    assert holds_in_child(lambda: got(web, f"{server.url}/a") == b"of a" and len(web._managers) == 2)


def test_unreachable(web: Web) -> None:
    """A port where nobody listens."""
    with silent_url() as url, pytest.raises(FetchFailed, match="cannot be reached") as caught:
        got(web, f"{url}/a?signature=secret")
    assert "secret" not in str(caught.value)
    assert caught.value.answered is None


def test_deadline(server: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes longer than the deadline is dropped."""
    server.pages = {"/a": b"hello"}
    with pytest.raises(FetchFailed, match="too long"):
        got(Web(deadline=-1.0), f"{server.url}/a")


def test_second_attempt(server: ScriptedWeb, web: Web) -> None:
    """A server that is busy for a moment is asked again, and then its answer counts."""
    replies = iter([Reply(b"", 503), as_json({})])
    server.pages = {"/a": lambda body: next(replies), "/b": Reply(b"", 503)}
    assert got(web, f"{server.url}/a") == b"{}"
    with pytest.raises(FetchFailed, match="the answer is 503"):
        got(web, f"{server.url}/b")
    assert server.count("/b") == 3


@pytest.mark.parametrize(
    "url",
    ["", "ftp://h.example/a", "file:///a", "/a", "h.example/a", "http://", "https://u:p@h.example/", "https://u@h.example/",
     "http://[::1", "https://h.example/a b", "https://h.example/\r\nX: y", "javascript:alert(1)"],
)  # fmt: skip
def test_urls_that_are_none(url: str) -> None:
    """Only http and https, and no credentials in the address."""
    with pytest.raises(FetchFailed, match="Give a URL"):
        checked(url)


@pytest.mark.parametrize(
    ("variables", "proxied"),
    [
        pytest.param({}, False, id="none"),
        pytest.param({"http_proxy": "PROXY"}, True, id="a proxy"),
        pytest.param({"http_proxy": "PROXY", "no_proxy": "upstream.example"}, False, id="excepted"),
        pytest.param({"https_proxy": "PROXY"}, False, id="of the other scheme"),
    ],
)
def test_proxies(
    server: ScriptedWeb, web: Web, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxied: bool
) -> None:
    """The variables that name a proxy are followed."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("PROXY", server.url))
    server.pages = {"http://upstream.example/a": b"through the proxy"}
    if proxied:
        assert got(web, "http://upstream.example/a") == b"through the proxy"
    else:
        with pytest.raises(FetchFailed, match="cannot be reached"):
            got(web, "http://upstream.example/a")
