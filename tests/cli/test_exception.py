"""``nproxy-mw exception``: what the rules let through, and answers to those who asked for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from support.registry import ACTOR

from nproxy_mw import organization_at
from nproxy_mw.cli import exception, main
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.times import utc_now

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def organization(tmp_path: Path) -> Organization:
    assert main(["settings", "set", "internalScopes=@acme", "--storage", str(tmp_path / "store")]) == 0
    return organization_at(str(tmp_path / "store"))


@pytest.fixture
def run(organization: Organization, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program on the store: exit code, output, and what was said beside it."""
    capsys.readouterr()

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["exception", *words, "--storage", str(tmp_path / "store")])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("words", "versions", "rules"),
    [
        pytest.param(("axios",), None, None, id="all versions"),
        pytest.param(("axios@1.14.1",), ("1.14.1",), None, id="one version"),
        pytest.param(("axios@^1.14.0", "--rule", "version_age"), ("^1.14.0",), ("version_age",), id="range and rule"),
    ],
)
def test_exception_is_added(
    run: Run,
    organization: Organization,
    words: tuple[str, ...],
    versions: tuple[str, ...] | None,
    rules: tuple[str, ...] | None,
) -> None:
    """To those that there are, with its end, and it is listed."""
    assert run("add", "lodash", "--for", "1h", "--reason", "first")[0] == 0
    code, out, err = run("add", *words, "--for", "7d", "--reason", "reviewed by ann")
    assert (code, out) == (0, "")
    assert err.startswith(f"The rules let {words[0]} through until ")
    _, added = organization.settings.get().exceptions
    assert (added.package, added.versions, added.rules) == ("axios", versions, rules)
    assert added.reason == "reviewed by ann"
    assert timedelta(days=6) < added.expires_at - utc_now() <= timedelta(days=7)
    _, out, _ = run("list")
    assert [line.split()[0] for line in out.splitlines()] == ["PACKAGE", "lodash", words[0]]
    assert " holds " in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "axios@one", "--for", "1d", "--reason", "x"), "must be a version or an npm range"),
        (("add", "axios", "--for", "1d", "--reason", " "), "reason: This must be text"),
        (("add", "axios", "--for", "1d", "--reason", "x", "--rule", "age"), "rules: Entry 1: This must be one of"),
        (("add", "axios", "--for", "0d", "--reason", "x"), "--for"),
        (("add", "axios", "--reason", "x"), "--for is missing"),
        (("approve", "nothing", "--for", "1d"), "There is no request with that id"),
        (("deny", "nothing"), "There is no request with that id"),
    ],
)
def test_what_is_wrong_is_said(run: Run, organization: Organization, words: tuple[str, ...], sentence: str) -> None:
    """With a sentence and exit code 2; nothing is changed."""
    code, _, err = run(*words)
    assert code == 2
    assert sentence in err
    assert not organization.settings.get().exceptions


def test_requests_are_answered(run: Run, organization: Organization) -> None:
    """An approval adds the exception, a denial does not; what was answered is shown when it is asked for."""
    assert run("requests") == (0, "", "There are no requests for exceptions.\n")
    wish = {"package": "axios", "versions": ["1.14.1"], "rules": ["version_age"], "reason": "fixes the build"}
    first = organization.exception_requests.ask(wish, actor=ACTOR)
    second = organization.exception_requests.ask({"package": "lodash", "reason": "please"}, actor=ACTOR)
    _, out, _ = run("requests")
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [
        [second.id, "lodash", "all"],
        [first.id, "axios@1.14.1", "version_age"],
    ]
    code, _, err = run("approve", first.id, "--for", "7d", "--comment", "until 1.15")
    assert code == 0
    assert err.startswith("The rules let axios@1.14.1 through until ")
    assert run("deny", second.id, "--comment", "no")[0] == 0
    (made,) = organization.settings.get().exceptions
    assert (made.package, made.versions, made.rules) == ("axios", ("1.14.1",), ("version_age",))
    assert run("requests")[1] == ""
    _, out, _ = run("requests", "--all")
    assert " denied " in out
    assert " approved " in out


def test_exception_that_ended_is_shown_as_such(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lets nothing through."""
    assert run("add", "axios", "--for", "7d", "--reason", "x")[0] == 0
    later = utc_now() + timedelta(days=8)
    monkeypatch.setattr(exception, "utc_now", lambda: later)
    assert " ended " in run("list")[1]
