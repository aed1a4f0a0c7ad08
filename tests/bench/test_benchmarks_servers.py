"""The servers: how they are named, described and started."""

from __future__ import annotations

import json
import shutil
import sys
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from benchmarks.errors import CannotRun, MeasureFailed
from benchmarks.http.crowd import ask
from benchmarks.http.messages import Request
from benchmarks.measures.objects import packument_request
from benchmarks.servers.bare import Bare
from benchmarks.servers.catalog import FLOORS, REFERENCE, all_servers, chosen
from benchmarks.servers.hello import application
from benchmarks.servers.nginx import Nginx
from benchmarks.servers.peer import Peer, filled, parse_peer
from benchmarks.servers.port import Ability
from benchmarks.upstream.process import running


def hello(path, **environ):
    """What the bare application replies: status, headers, body."""
    environ = {"PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", **environ}
    setup_testing_defaults(environ)
    found = []
    body = validator(application)(environ, lambda status, headers, error=None: found.append((status, dict(headers))))
    data = b"".join(body)
    body.close()
    return *found[0], data


@pytest.mark.parametrize(
    ("path", "size"), [("/1", 1), ("/12000", 12_000), ("/", 1), ("/name", 1), ("/99999999999", 64 << 20)]
)
def test_the_bare_application_replies_with_as_many_bytes(path, size):
    """As many as it is asked for, within a bound."""
    status, headers, body = hello(path)
    assert (status, headers["Content-Length"], len(body)) == ("200 OK", str(size), size)


def test_the_bare_application_knows_304():
    """A conditional request gets no body."""
    status, headers, body = hello("/12000", HTTP_IF_NONE_MATCH='"x"')
    assert (status, body) == ("304 Not Modified", b"")
    assert "ETag" in headers


def test_a_peer_is_a_name_and_a_command(tmp_path):
    """Places are filled, quotes keep their words, and other braces stay."""
    peer = parse_peer("other = other --json '{\"a b\": 1}' --port {port} -u {upstream}/ --data={storage}")
    assert peer.name == "other"
    assert filled(peer.command, 7, "http://127.0.0.1:1", tmp_path) == [
        "other",
        "--json",
        '{"a b": 1}',
        "--port",
        "7",
        "-u",
        "http://127.0.0.1:1/",
        f"--data={tmp_path}",
    ]


@pytest.mark.parametrize("text", ["", "other", "=run {port}", "other=run {upstream}"])
def test_what_is_no_peer_is_refused(text):
    """The message shows a peer."""
    with pytest.raises(CannotRun, match="NAME='command"):
        parse_peer(text)


def test_a_peer_runs_until_the_block_ends(tmp_path):
    """A server that makes no users is not measured at publishing."""
    command = f"{sys.executable} -m http.server {{port}} --bind 127.0.0.1 --directory {{storage}}"
    with Peer("files", command).running(tmp_path, "http://127.0.0.1:1") as peer:
        (tmp_path / "store" / "one").write_text("1")
        assert ask(peer.url, Request("/one")).body == b"1"
        assert peer.abilities == Ability.PROXY | Ability.INSTALL
        assert peer.ready > 0
    with pytest.raises(MeasureFailed):
        ask(peer.url, Request("/one"))


def test_a_peer_that_fails_says_why(tmp_path):
    """The last line of its log is in the sentence."""
    peer = Peer("broken", f"{sys.executable} -c 'raise SystemExit(\"No {{port}} is good.\")'")
    with pytest.raises(MeasureFailed, match=r"ended with 1 .* No \d+ is good"), peer.running(tmp_path, ""):
        pass


def test_servers_have_names(tmp_path):
    """The reference and the floors are among them; a peer comes before ours."""
    names = [server.name for server in all_servers(tmp_path, ["other=run {port}"])]
    assert {REFERENCE, "other", *FLOORS, *FLOORS.values()} <= set(names)
    assert len(names) == len(set(names))


def test_names_are_unique(tmp_path):
    """A peer cannot hide another server."""
    with pytest.raises(CannotRun, match="same name"):
        all_servers(tmp_path, ["verdaccio=run {port}"])


def test_servers_are_chosen_by_name(tmp_path):
    """In the order of the catalog; unknown names are refused."""
    servers = all_servers(tmp_path)
    assert [one.name for one in chosen(servers, ["nginx-cache", "direct"])] == ["direct", "nginx-cache"]
    assert chosen(servers, []) == servers
    with pytest.raises(CannotRun, match="no server nginx"):
        chosen(servers, ["nginx"])


@pytest.mark.e2e
def test_bare_gunicorn_serves(tmp_path):
    """The bare application under the real server, with a version."""
    server = Bare("gunicorn")
    assert server.prepare().startswith("gunicorn ")
    with server.running(tmp_path, "") as running_server:
        assert len(ask(running_server.url, Request("/12000")).body) == 12_000


@pytest.mark.e2e
@pytest.mark.skipif(
    not shutil.which("nginx", path="/usr/bin:/usr/sbin:/usr/local/sbin"), reason="nginx is not installed"
)
def test_nginx_asks_the_upstream_once(tmp_path, corpus):
    """The cache works, and keeps forms and codings apart."""
    (tmp_path / "nginx").mkdir()
    packument = next(iter(corpus.packuments.values()))
    with running(corpus, tmp_path / "upstream") as upstream, Nginx().running(tmp_path / "nginx", upstream.url) as nginx:
        found = {}
        for form in ("full", "abbreviated"):
            for is_packed in (True, False):
                request = packument_request(packument, nginx, form, is_packed=is_packed)
                found[form, is_packed] = [ask(nginx.url, request) for _ in range(2)]
        assert upstream.requests(f"/{packument.name}") == 4
    for (form, is_packed), responses in found.items():
        wanted = corpus.read(packument, f"{form}.gz" if is_packed else form)
        assert [one.body for one in responses] == [wanted, wanted]
    assert json.loads(found["full", False][0].body)["name"] == packument.name
