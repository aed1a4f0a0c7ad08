"""nproxy-mw token: made, shown once, listed, ended."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nproxy_mw import organization_at, token_format
from nproxy_mw.access import Grant
from nproxy_mw.cli import main, token


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


def create(store, capsys, *more):
    """The plaintext that was printed, and what was said beside it."""
    assert main(["token", "create", "--scope", "proxy", *more, "--storage", store]) == 0
    out, err = capsys.readouterr()
    return out, err


def listed(store, capsys, *more):
    assert main(["token", "list", "--storage", store, *more]) == 0
    titles, *rows = capsys.readouterr().out.splitlines()
    columns = re.split(r"  +", titles)
    return [dict(zip(columns, re.split(r"  +", row), strict=True)) for row in rows]


def test_create_prints_the_token_alone(store, capsys):
    """So that a shell can take it into a variable; what else there is to say goes to standard error."""
    out, err = create(store, capsys, "--scope", "publish")
    assert token_format.is_wellformed(out.strip())
    assert out.count("\n") == 1
    assert out.strip() not in err
    principal = organization_at(store).tokens.find(out.strip())
    assert principal.grants == frozenset(Grant)
    assert principal.token_id in err


def test_plaintext_is_stored_nowhere(store, capsys, tmp_path):
    """Only its hash is."""
    out, _ = create(store, capsys)
    assert all(out.strip().encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert out.strip() not in str(listed(store, capsys))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("90d", timedelta(days=90)),
        ("99999d", timedelta(99999)),
    ],
)
def test_expiry(store, capsys, text, time):
    """Minutes, hours or days from now."""
    out, _ = create(store, capsys, "--expires-in", text)
    expires = organization_at(store).tokens.find(out.strip()).expires_at
    assert abs(expires - datetime.now(UTC) - time) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "5", "d", "0d", "-1d", "1w", "1.5h", "100000d", "²d", "1 d"])
def test_expiry_that_is_none_is_refused(store, capsys, text):
    """With the forms that are meant; nothing is made."""
    assert main(["token", "create", "--scope", "proxy", f"--expires-in={text}", "--storage", store]) == 2
    assert re.fullmatch(r"nproxy-mw: --expires-in .*12h or .*\.\n|.* is empty: .*\n", capsys.readouterr().err)
    assert not Path(store).exists()


@pytest.mark.parametrize("arguments", [["--name", "\x1b[31m"], ["--name", ""], ["--name", "x" * 1000]])
def test_name_that_will_not_do_is_refused(store, capsys, arguments):
    """A name is shown in terminals and to npm."""
    assert main(["token", "create", "--scope", "proxy", *arguments, "--storage", store]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nproxy-mw: ")


def test_scope_is_needed(capsys):
    """And there are two of them."""
    assert main(["token", "create"]) == 2
    assert capsys.readouterr().err.startswith("nproxy-mw: --scope is missing: what it may do: proxy reads")
    assert main(["token", "create", "--scope", "admin"]) == 2
    assert capsys.readouterr().err == "nproxy-mw: --scope 'admin' is not proxy or publish.\n"


def test_list_and_revoke(store, capsys):
    """What there is, newest first; what is ended is shown when asked for; ended twice is an error."""
    create(store, capsys, "--name", "old", "--expires-in", "1h")
    secret, err = create(store, capsys, "--name", "new", "--scope", "publish")
    rows = listed(store, capsys)
    assert [(row["NAME"], row["SCOPES"], row["STATE"]) for row in rows] == [
        ("new", "proxy,publish", "active"),
        ("old", "proxy", "active"),
    ]
    assert rows[0]["EXPIRES"] == rows[0]["LAST USED"] == "never"
    assert rows[1]["EXPIRES"].endswith("Z")
    assert main(["token", "revoke", rows[0]["ID"], "--storage", store]) == 0
    assert capsys.readouterr() == ("", f"Token {rows[0]['ID']} is revoked.\n")
    assert organization_at(store).tokens.find(secret.strip()) is None
    assert [row["NAME"] for row in listed(store, capsys)] == ["old"]
    assert [row["STATE"] for row in listed(store, capsys, "--all")] == ["revoked", "active"]
    assert main(["token", "revoke", rows[0]["ID"], "--storage", store]) == 2
    assert "There is no token with that id" in capsys.readouterr().err
    assert rows[0]["ID"] in err


def test_expired_token_is_listed_as_such(store, capsys, monkeypatch):
    """Until it is revoked."""
    create(store, capsys, "--expires-in", "1m")

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr(token, "datetime", Later)
    assert [row["STATE"] for row in listed(store, capsys)] == ["expired"]


@pytest.mark.parametrize("command", [["list"], ["revoke", "0123456789abcdef"]])
def test_store_that_is_not_there_is_no_empty_one(store, capsys, command):
    """A mistyped storage is said, and nothing is made there."""
    assert main(["token", *command, "--storage", store]) == 2
    assert "There is no organization 'default'" in capsys.readouterr().err
    assert not Path(store).exists()


def test_organization_that_is_not_there_gets_no_token(store, capsys):
    """Only the one that is meant when none is named is made by its first token."""
    assert main(["token", "create", "--scope", "proxy", "--org", "acmee", "--storage", store]) == 2
    assert "nproxy-mw org create acmee" in capsys.readouterr().err


def test_organizations_have_their_own(store, capsys):
    """A token of one opens nothing in another."""
    create(store, capsys)
    assert main(["org", "create", "acme", "--storage", store]) == 0
    out, _ = create(store, capsys, "--org", "acme")
    assert organization_at(store, "acme").tokens.find(out.strip()) is not None
    assert organization_at(store).tokens.find(out.strip()) is None
    assert len(listed(store, capsys)) == 1


def test_no_tokens_are_said(store, capsys):
    """An empty table is a sentence, which says how to make a first row."""
    assert main(["org", "create", "acme", "--storage", store]) == 0
    capsys.readouterr()
    assert main(["token", "list", "--org", "acme", "--storage", store]) == 0
    assert capsys.readouterr() == ("", "There are no tokens yet: create one with 'nproxy-mw token create'.\n")


def test_first_token_makes_no_second_organization(store, capsys):
    """In a store that has organizations, a forgotten --org is a mistake: it is said, and nothing is made."""
    assert main(["org", "create", "acme", "--storage", store]) == 0
    assert main(["token", "create", "--scope", "proxy", "--storage", store]) == 2
    assert f"There is no organization 'default' in {store}; it has acme: name another" in capsys.readouterr().err


def test_fixed_organization_of_the_server_is_meant(store, capsys, monkeypatch):
    """What NPROXY_ORGS says to the server holds for the other commands, too; --org is nearer."""
    for org in ("acme", "beta"):
        assert main(["org", "create", org, "--storage", store]) == 0
    monkeypatch.setenv("NPROXY_ORGS", "fixed:acme")
    out, _ = create(store, capsys)
    assert organization_at(store, "acme").tokens.find(out.strip()) is not None
    out, _ = create(store, capsys, "--org", "beta")
    assert organization_at(store, "beta").tokens.find(out.strip()) is not None


def test_user_without_a_name_has_one(monkeypatch):
    """As in a container."""

    def nobody():
        raise KeyError("uid 1234")

    monkeypatch.setattr(token.getpass, "getuser", nobody)
    assert token._user() == "nproxy-mw"


def test_unwritable_folder_is_one_sentence(tmp_path, capsys):
    """With the place, the reason and the flag."""
    (tmp_path / "file").write_text("")
    store = str(tmp_path / "file")
    assert main(["token", "create", "--scope", "proxy", "--storage", store]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"It is {store} (Not a directory): give another place with --storage." in err


def test_restrictions_are_kept_and_listed(store, capsys):
    """Options that are repeated, or variables with commas."""
    out, _ = create(store, capsys, "--packages", "@acme/web-*", "--packages", "@tools", "--addresses", "10.0.0.0/8")
    restrictions = organization_at(store).tokens.find(out.strip()).restrictions
    assert restrictions.to_document() == {"packages": ["@acme/web-*", "@tools"], "addresses": ["10.0.0.0/8"]}
    (row,) = listed(store, capsys)
    assert row["ONLY FOR"] == "@acme/web-*,@tools,10.0.0.0/8"


def test_restrictions_from_variables(store, capsys, monkeypatch):
    """As everywhere, with commas between."""
    monkeypatch.setenv("NPROXY_TOKEN_PACKAGES", "@acme,@tools/x")
    monkeypatch.setenv("NPROXY_TOKEN_ADDRESSES", "2001:db8::/32")
    out, _ = create(store, capsys)
    assert str(organization_at(store).tokens.find(out.strip()).restrictions) == "@acme,@tools/x,2001:db8::/32"


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("--packages", "lodash", "--packages 'lodash' is not @scope, @scope/name or @scope/prefix-*, in lower case."),
        ("--addresses", "10.0.0.1/8", "--addresses '10.0.0.1/8' is not an address or a range such as 10.0.0.0/8"),
    ],
)
def test_other_restrictions_are_refused(store, capsys, option, text, sentence):
    """One sentence, exit code 2, and no token."""
    assert main(["token", "create", "--scope", "proxy", option, text, "--storage", store]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path(store).exists()


def test_a_damaged_record_does_not_hide_the_others(store, capsys):
    """They are listed, the damaged one is named on standard error, and the exit code is 1."""
    create(store, capsys, "--name", "good")
    out, _ = create(store, capsys, "--name", "bad")
    digest = token_format.digest(out.strip())
    (path,) = Path(store).rglob(f"{digest}.json")
    path.write_text("{")
    assert main(["token", "list", "--storage", store]) == 1
    shown = capsys.readouterr()
    assert "good" in shown.out
    assert shown.err == f"The record of token {digest[:16]} is damaged: 'nproxy-mw check' says more.\n"
