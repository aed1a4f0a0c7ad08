"""nproxy-mw admin."""

from __future__ import annotations

import getpass
import io

import pytest

from nproxy_mw.access import Actor
from nproxy_mw.cli import main
from nproxy_mw.cli.admin import VARIABLE
from nproxy_mw.cli.stores import open_organizations
from nproxy_mw.errors import Unauthenticated
from nproxy_mw.hosting.administration import administrators_of

PASSWORD = "correct horse battery"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def admin(tmp_path, monkeypatch):
    def run(*arguments, piped="", typed=None, variable=None):
        monkeypatch.delenv(VARIABLE, raising=False)
        if variable is not None:
            monkeypatch.setenv(VARIABLE, variable)
        monkeypatch.setattr("sys.stdin", io.StringIO(piped) if typed is None else Terminal())
        answers = iter(typed or ())
        monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
        return main(["admin", *arguments, "--storage", str(tmp_path)])

    run.knows = lambda name, password: administrators_of(open_organizations(str(tmp_path)).storage).verify(
        name, password, actor=Actor(ip="x")
    )
    return run


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"piped": PASSWORD + "\n"}, id="standard input"),
        pytest.param({"piped": PASSWORD}, id="standard input without a line's end"),
        pytest.param({"piped": PASSWORD + "\r\nmore\n"}, id="the first line"),
        pytest.param({"variable": PASSWORD, "piped": "another"}, id="the variable"),
        pytest.param({"typed": [PASSWORD, PASSWORD]}, id="a terminal"),
    ],
)
def test_password_is_asked_for_safely(admin, how, capsys):
    """It comes from the variable, a terminal or standard input, and is shown nowhere."""
    assert admin("create", "ann", **how) == 0
    assert admin.knows("ann", PASSWORD).name == "ann"
    shown = capsys.readouterr()
    assert PASSWORD not in shown.out + shown.err


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"piped": "short\n"}, id="short"),
        pytest.param({"piped": ""}, id="none"),
        pytest.param({"variable": ""}, id="an empty variable"),
        pytest.param({"typed": [PASSWORD, PASSWORD + "!"]}, id="typed in two ways"),
    ],
)
def test_bad_password_makes_nobody(admin, how, capsys):
    """Exit code 2 and a sentence that does not quote it."""
    assert admin("create", "ann", **how) == 2
    assert "short" not in capsys.readouterr().err
    assert admin("list") == 0
    assert capsys.readouterr().out == ""


def test_administrators_are_listed_and_deleted(admin, capsys):
    """Whoever is deleted cannot sign in any more."""
    for name in ("bob", "ann"):
        admin("create", name, piped=PASSWORD)
    assert admin("create", "ann", piped=PASSWORD) == 2
    admin("list")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [["NAME", "ROLE", "ORGANIZATIONS"], ["ann", "administrator", "all"], ["bob", "administrator", "all"]]
    assert admin("delete", "ann") == 0
    with pytest.raises(Unauthenticated):
        admin.knows("ann", PASSWORD)
    assert admin("delete", "ann") == 2


def test_a_role_is_given_and_changed(admin, capsys):
    """A reader of one organization becomes an administrator of two, and then of all."""
    assert admin("create", "eve", "--role", "reader", "--org", "acme", piped=PASSWORD) == 0
    assert "eve can sign in as a reader of acme." in capsys.readouterr().err
    assert admin("role", "eve", "--org", "acme", "--org", "beta") == 0
    assert "eve is now an administrator of acme, beta." in capsys.readouterr().err
    assert admin("role", "eve") == 0
    assert "eve is now a platform administrator." in capsys.readouterr().err
    assert admin("role", "nobody") == 2


def test_password_is_changed(admin):
    """The old one is good for nothing."""
    admin("create", "ann", piped=PASSWORD)
    assert admin("password", "ann", piped=PASSWORD + "!") == 0
    assert admin.knows("ann", PASSWORD + "!").name == "ann"
    with pytest.raises(Unauthenticated):
        admin.knows("ann", PASSWORD)
    assert admin("password", "eve", piped=PASSWORD) == 2
