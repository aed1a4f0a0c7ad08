"""Where the server listens, where clients reach it, and where the upstream is."""

from __future__ import annotations

import socket

import pytest

from nproxy_mw.cli import addresses, npm_config
from nproxy_mw.cli.addresses import (
    Bind,
    check_upstream,
    parse_allowed_origin,
    parse_bind,
    parse_proxy,
    parse_public_url,
    parse_upstream_url,
)
from nproxy_mw.cli.options import UsageError

HERE = Bind("127.0.0.1", 4874)


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:4874", HERE),
        (":80", Bind("0.0.0.0", 80)),  # noqa: S104
        ("localhost:0", Bind("localhost", 0)),
        ("[::1]:4874", Bind("::1", 4874)),
        ("[::]:65535", Bind("::", 65535)),
    ],
)
def test_bind(text, bind):
    """A host and a port, or a port alone; what is printed can be read back."""
    assert parse_bind(text) == bind
    assert parse_bind(str(bind)) == bind


@pytest.mark.parametrize(
    "text", ["", "4874", "host", "host:", "host:x", "host:65536", "::1:80", "a b:80", "[x]:80", "http://h:1"]
)
def test_bind_that_is_none_is_refused(text):
    """With the form that is meant."""
    with pytest.raises(ValueError, match=r"\Ais not HOST:PORT, like 127\.0\.0\.1:4874\Z"):
        parse_bind(text)


@pytest.mark.parametrize(
    ("text", "everywhere", "reachable"),
    [
        (":80", True, "127.0.0.1:80"),
        ("0.0.0.0:80", True, "127.0.0.1:80"),
        ("[::]:80", True, "[::1]:80"),
        ("192.0.2.1:80", False, "192.0.2.1:80"),
        ("127.0.0.1:80", False, "127.0.0.1:80"),
    ],
)
def test_address_of_all_is_no_address_to_go_to(text, everywhere, reachable):
    """The greeting names one that a client on this machine can use, and says who else can reach it."""
    bind = parse_bind(text)
    assert bind.is_everywhere is everywhere
    assert str(bind.reachable) == reachable


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://npm.acme.example", "https://npm.acme.example"),
        ("https://npm.acme.example/x/", "https://npm.acme.example/x"),
    ],
)
def test_public_url(url, expected):
    """Without its closing slash."""
    assert parse_public_url(url) == expected


NO_URLS = ["npm.acme.example", "ftp://x", "https://", "https://x/?y", "https://a b", "https://x:x"]


@pytest.mark.parametrize("url", NO_URLS)
def test_url_that_is_none_is_refused(url):
    """With the form that is meant; the text is not quoted, since it may hold a password."""
    with pytest.raises(ValueError, match=r"\Ais not a URL like https://npm\.acme\.example, http or https\Z"):
        parse_public_url(url)
    with pytest.raises(ValueError, match=r"\Ais not a URL like https://upstream\.example, http or https, nor none\Z"):
        parse_upstream_url(url)
    with pytest.raises(ValueError, match=r"\Ais not an origin like https://cdn\.example"):
        parse_allowed_origin(url)


def test_upstream_may_be_none():
    """For a registry of internal packages only."""
    assert parse_upstream_url("none") == "none"
    assert check_upstream("none", HERE, None).url is None


def test_origin_has_no_path():
    """Scheme, host and port decide where a connection may go."""
    assert parse_allowed_origin("https://cdn.example:8443") == "https://cdn.example:8443"
    with pytest.raises(ValueError, match="is not an origin"):
        parse_allowed_origin("https://cdn.example/npm")


@pytest.mark.parametrize("text", ["ftp://proxy.example", "http://", "http://proxy.example:port"])
def test_proxy_is_a_url(text):
    """With or without its scheme, as in HTTPS_PROXY."""
    assert parse_proxy("proxy.example:3128") == "proxy.example:3128"
    with pytest.raises(ValueError, match="is not a URL"):
        parse_proxy(text)


def test_public_url_with_a_password_is_refused():
    """Clients would see it."""
    with pytest.raises(ValueError, match="password") as caught:
        parse_public_url("https://user:secret@npm.acme.example")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("upstream", "bind"),
    [
        pytest.param("http://127.0.0.1:4874", "127.0.0.1:4874", id="the same"),
        pytest.param("http://127.0.0.1:4874/npm/", "127.0.0.1:4874", id="with a path"),
        pytest.param("http://localhost:4874", "127.0.0.1:4874", id="by name"),
        pytest.param("http://127.0.0.1:4874", "0.0.0.0:4874", id="behind a wildcard"),
        pytest.param("http://[::1]:4874", "[::1]:4874", id="IPv6"),
        pytest.param("http://127.0.0.1", "127.0.0.1:80", id="the scheme's port"),
    ],
)
def test_upstream_that_is_ourselves_is_refused(upstream, bind):
    """A request would go round for ever."""
    with pytest.raises(UsageError, match=r"is this server itself: give the registry behind it"):
        check_upstream(upstream, parse_bind(bind), None)


def test_upstream_that_is_the_public_url_is_refused():
    """Behind a proxy it is ourselves by another name."""
    with pytest.raises(UsageError, match="is this server itself"):
        check_upstream("https://npm.acme.example/", HERE, "https://npm.acme.example")


@pytest.mark.parametrize(
    "upstream", ["http://127.0.0.1:4875", "https://upstream.example", "https://npm.acme.example.other"]
)
def test_other_upstreams_are_taken(upstream):
    """Another port, another host, a longer name."""
    assert check_upstream(upstream, HERE, "https://npm.acme.example").url == upstream


def test_upstreams_password_is_not_shown():
    """The greeting names the upstream without its credentials."""
    remark = check_upstream("https://user:secret@upstream.example", HERE, None).remark
    assert "secret" not in remark
    assert "https://upstream.example" in remark


def test_without_npm_there_are_internal_packages_only(monkeypatch, tmp_path):
    """And the flag to give is named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    upstream = check_upstream(None, HERE, None)
    assert upstream.url is None
    assert "internal packages only" in upstream.remark
    assert "--upstream URL" in upstream.remark


def npm_that(tmp_path, monkeypatch, script):
    program = tmp_path / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")


@pytest.mark.parametrize(
    ("script", "registry"),
    [
        pytest.param("echo https://upstream.example/", "https://upstream.example", id="answers"),
        pytest.param("echo 'npm warn x' >&2; echo https://upstream.example/", "https://upstream.example", id="warns"),
        pytest.param("echo undefined", None, id="knows none"),
        pytest.param("exit 1", None, id="fails"),
        pytest.param("", None, id="says nothing"),
    ],
)
def test_registry_of_this_users_npm(tmp_path, monkeypatch, script, registry):
    """The default upstream is what npm is configured with."""
    npm_that(tmp_path, monkeypatch, script)
    assert npm_config.configured_registry() == registry


def test_npm_configured_with_nonsense_is_said(tmp_path, monkeypatch):
    """The flag that helps is named; the text, which may hold a password, is not."""
    npm_that(tmp_path, monkeypatch, "echo 'https://user:secret@a b'")
    with pytest.raises(UsageError, match=r"give one with --upstream URL\.\Z") as caught:
        check_upstream(None, HERE, None)
    assert "secret" not in str(caught.value)


def test_projects_npmrc_is_not_meant(tmp_path, monkeypatch):
    """npm is asked outside the folder the program was started in: that project's .npmrc names this very server."""
    npm_that(
        tmp_path, monkeypatch, 'test -e .npmrc && echo http://project.example/ || echo "https://upstream.example/"'
    )
    (tmp_path / ".npmrc").write_text("")
    monkeypatch.chdir(tmp_path)
    assert npm_config.configured_registry() == "https://upstream.example"


def test_npm_that_hangs_is_given_up(tmp_path, monkeypatch):
    """A start never waits for long."""
    npm_that(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(npm_config, "SECONDS", 0.05)
    assert npm_config.configured_registry() is None


def test_host_that_has_no_address_is_not_ourselves(monkeypatch):
    """A name that cannot be resolved now may be later."""

    def fails(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr(addresses.socket, "getaddrinfo", fails)
    assert check_upstream("http://upstream.example:4874", HERE, None).url is not None
