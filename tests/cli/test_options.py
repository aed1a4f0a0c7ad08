"""What the commands share: options, variables, places, and how the program says no."""

from __future__ import annotations

import argparse
import socket

import pytest

from nproxy_mw.cli import COMMANDS, addresses, main, npm_config
from nproxy_mw.cli.addresses import Bind, check_public_url, check_upstream, parse_bind
from nproxy_mw.cli.options import UsageError, add_option, organization_of, scopes_of
from nproxy_mw.cli.terminal import print_table
from nproxy_mw.errors import Missing, StorageUnavailable

HERE = Bind("127.0.0.1", 4874)


def parsed(*arguments, **flags):
    parser = argparse.ArgumentParser()
    for flag, default in flags.items():
        add_option(parser, f"--{flag.replace('_', '-')}", default, help="x")
    return parser.parse_args(arguments)


def test_option_wins_over_its_variable_and_that_over_the_default(monkeypatch):
    """--public-url, then NPROXY_PUBLIC_URL, then what is built in; an empty variable is none."""
    assert parsed(public_url="a").public_url == "a"
    monkeypatch.setenv("NPROXY_PUBLIC_URL", "b")
    assert parsed(public_url="a").public_url == "b"
    assert parsed("--public-url", "c", public_url="a").public_url == "c"
    monkeypatch.setenv("NPROXY_PUBLIC_URL", "")
    assert parsed(public_url="a").public_url == "a"


@pytest.mark.parametrize(
    ("given", "variable", "scopes"),
    [
        pytest.param(None, None, [], id="none"),
        pytest.param(["@acme"], None, ["@acme"], id="flag"),
        pytest.param(["@acme", "@b", "@acme"], None, ["@acme", "@b"], id="twice"),
        pytest.param(None, "@acme, @b @c", ["@acme", "@b", "@c"], id="variable"),
        pytest.param(["@acme"], "@b", ["@acme"], id="flag over variable"),
    ],
)
def test_scopes(monkeypatch, given, variable, scopes):
    """Repeated on the command line, or in one variable with spaces or commas between them."""
    if variable is not None:
        monkeypatch.setenv("NPROXY_SCOPE", variable)
    assert scopes_of(argparse.Namespace(scope=given)) == scopes


@pytest.mark.parametrize("scope", ["acme", "@", "@ACME", "@acme/utils", "@.x", "", "@a b", "@acme."])
def test_scope_that_is_none_is_refused(scope):
    """With the form that is meant."""
    with pytest.raises(UsageError, match="one looks like @acme"):
        scopes_of(argparse.Namespace(scope=[scope]))


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
    with pytest.raises(UsageError, match=r"not HOST:PORT, like 127\.0\.0\.1:4874\."):
        parse_bind(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, None),
        ("https://npm.acme.example", "https://npm.acme.example"),
        ("https://npm.acme.example/x/", "https://npm.acme.example/x"),
    ],
)
def test_public_url(url, expected):
    """Without its closing slash."""
    assert check_public_url(url) == expected


@pytest.mark.parametrize(
    "url", ["npm.acme.example", "ftp://x", "https://", "https://x/?y", "https://a b", "https://x:x"]
)
def test_url_that_is_none_is_refused(url):
    """In one sentence that names the flag."""
    with pytest.raises(
        UsageError, match=r"^--public-url is not a URL like https://npm\.acme\.example, http or https\.$"
    ):
        check_public_url(url)
    with pytest.raises(UsageError, match=r"^--upstream is not a URL like https://upstream\.example, http or https\.$"):
        check_upstream(url, HERE, None)


def test_public_url_with_a_password_is_refused():
    """Clients would see it."""
    with pytest.raises(UsageError, match="password") as caught:
        check_public_url("https://user:secret@npm.acme.example")
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


@pytest.mark.parametrize("storage", ["gopher://x", "s3://X", "file://relative", ""])
def test_storage_that_is_none_is_refused(storage):
    """One sentence says which are."""
    with pytest.raises(UsageError):
        organization_of(argparse.Namespace(storage=storage, org="default"))


@pytest.mark.parametrize("org", ["", "A", "a/b", "..", "a b", "-a"])
def test_organization_that_is_none_is_refused(tmp_path, org):
    """An id with a slash would be a place within another one's storage."""
    with pytest.raises(UsageError, match="like acme"):
        organization_of(argparse.Namespace(storage=str(tmp_path), org=org))


def test_table_is_plain(capsys):
    """Columns as wide as they need to be; what would move a terminal's cursor is a question mark."""
    print_table(("ID", "NAME"), [("1", "a\x1b[31m\n"), ("12345", "é")])
    assert capsys.readouterr().out == "ID     NAME\n1      a?[31m?\n12345  é\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["serve", "--nonsense"], ["token"], ["token", "nonsense"]])
def test_wrong_arguments_are_2(arguments, capsys):
    """And the usage is shown."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: nproxy-mw" in capsys.readouterr().err


def test_help_is_for_every_command(capsys):
    """Each has one, the program's lists them all, and each option names its variable."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for module in COMMANDS:
        command = module.__name__.rpartition(".")[2]
        assert f"    {command} " in shown
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        assert f"usage: nproxy-mw {command}" in capsys.readouterr().out


def test_version(capsys):
    """--version says it."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("nproxy-mw 0.")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(UsageError("Not so."), 2, "nproxy-mw: Not so.\n", id="usage"),
        pytest.param(Missing("Not there."), 2, "nproxy-mw: Not there.\n", id="of the tree"),
        pytest.param(
            StorageUnavailable("Full."),
            2,
            "nproxy-mw: Full. It is here: give another place with --storage.\n",
            id="storage",
        ),
        pytest.param(KeyboardInterrupt(), 130, "", id="Ctrl-C"),
    ],
)
def test_error_is_one_sentence(monkeypatch, capsys, error, code, said):
    """No traceback for what an operator can mend."""

    def fail(parsed):
        raise error

    monkeypatch.setattr("nproxy_mw.cli.token._list", fail)
    assert main(["token", "list", "--storage", "here"]) == code
    assert capsys.readouterr() == ("", said)
