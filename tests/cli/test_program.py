"""The program as a whole: its help, its exit codes, and how it says no."""

from __future__ import annotations

import io
import sys

import pytest

from nproxy_mw.cli import COMMANDS, command_named, main
from nproxy_mw.cli.command import Command
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.terminal import count, print_table
from nproxy_mw.errors import Missing, StorageUnavailable

TOP = tuple(command_named(name) for name in COMMANDS)


def table(entries=TOP, words=()):
    """Every command and group, by the words that call it."""
    for entry in entries:
        yield (*words, entry.name), entry
        if not isinstance(entry, Command):
            yield from table(entry.commands, (*words, entry.name))


TABLE = [pytest.param(*each, id=" ".join(each[0])) for each in table()]


def help_of(capsys, *words):
    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("words", "entry"), TABLE)
def test_help_teaches(capsys, words, entry):
    """Each command shows how it is called, and which variable stands behind each option; in plain text."""
    shown = help_of(capsys, *words)
    called = " ".join(words)
    assert f"usage: nproxy-mw {called}" in shown
    assert f"nproxy-mw {called}" in entry.text
    assert entry.text in shown
    assert "``" not in shown
    for option in getattr(entry, "options", ()):
        assert option.inherited or option.variable in shown


def test_help_lists_every_command(capsys):
    """With one line for each."""
    shown = help_of(capsys)
    for name, line in COMMANDS.items():
        assert f"    {name} " in shown
        assert line in shown


def test_command_is_called_as_its_module():
    """Which is how it is found, and each verb of a group has its line in the list."""
    for name in COMMANDS:
        command = command_named(name)
        assert command.name == name
        assert all(verb.help for verb in getattr(command, "commands", ()))


def test_serve_says_which_source_wins(capsys):
    """Flag, variable, file, default."""
    text = " ".join(help_of(capsys, "serve").split())
    assert "The flag wins over the variable, the variable over the file, the file over the default." in text
    assert "NPROXY_UPSTREAM_TOKEN" in text
    assert "--upstream-token" not in text


def test_version(capsys):
    """--version says it."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("nproxy-mw 0.")


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["serve", "--nonsense"], ["token"], ["token", "nonsense"], ["serve", "--work", "1"]]
)
def test_wrong_arguments_are_2(arguments, capsys):
    """And the usage is shown. A part of an option's name is not enough: it may mean another one tomorrow."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: nproxy-mw" in capsys.readouterr().err


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

    def fail(parsed, **_):
        raise error

    monkeypatch.setattr("nproxy_mw.cli.token.organization_of", fail)
    assert main(["token", "list", "--storage", "here"]) == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--storage", "gopher://x"], "This kind of storage is not supported", id="scheme"),
        pytest.param(["--storage", "s3://X"], "needs the name of a bucket", id="bucket"),
        pytest.param(["--storage", "file://relative"], "three slashes", id="slashes"),
        pytest.param(["--storage", ""], "--storage is empty: give URL, or leave it out.", id="empty"),
        pytest.param(["--org", ""], "--org is empty", id="no organization"),
        pytest.param(["--org", "A"], "--org 'A' is not an organization's id, like acme.", id="capitals"),
        pytest.param(["--org", "a/b"], "is not an organization's id", id="another one's storage"),
        pytest.param(["--org", ".."], "is not an organization's id", id="the folder above"),
        pytest.param(["--org=-a"], "is not an organization's id", id="a dash first"),
    ],
)
def test_place_that_is_none_is_refused(tmp_path, monkeypatch, capsys, arguments, said):
    """Nothing is made there."""
    monkeypatch.chdir(tmp_path)
    assert main(["token", "list", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_configuration_file_holds_for_every_command(tmp_path, monkeypatch, capsys):
    """A token is made in the store that the server uses, also when only the file says which."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nproxy.toml").write_text('storage = "here"\norgs = "fixed:acme"\nseal-key = "' + "1f" * 32 + '"\n')
    assert main(["org", "create", "acme", "--config", "nproxy.toml"]) == 0
    monkeypatch.setenv("NPROXY_CONFIG", "nproxy.toml")
    assert main(["token", "create", "--scope", "proxy", "--name", "ci"]) == 0
    assert main(["token", "list"]) == 0
    assert "ci" in capsys.readouterr().out
    assert (tmp_path / "here" / "orgs" / "acme" / "tokens").is_dir()


def test_bad_configuration_file_is_one_sentence(tmp_path, capsys):
    """Said by every command, since it may name the wrong store."""
    path = tmp_path / "nproxy.toml"
    path.write_text("storag = 'x'\n")
    assert main(["token", "list", "--config", str(path)]) == 2
    said = f"nproxy-mw: There is no key 'storag' in a configuration file ({path}): did you mean 'storage'?\n"
    assert capsys.readouterr().err == said
    path.write_text("config = 'x'\n")
    assert main(["token", "list", "--config", str(path)]) == 2


def test_table_is_plain(capsys):
    """Columns as wide as they need to be; what would move a terminal's cursor is a question mark."""
    print_table(("ID", "NAME"), [("1", "a\x1b[31m\n"), ("12345", "é")], empty="None.")
    assert capsys.readouterr().out == "ID     NAME\n1      a?[31m?\n12345  é\n"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 orphans"), (1, "1 orphan"), (2, "2 orphans"), (1234, "1,234 orphans")]
)
def test_count(number, text):
    """One is no plural."""
    assert count(number, "orphan") == text


def test_locale_that_lacks_a_character_ends_nothing(tmp_path, monkeypatch):
    """It is escaped; JSON stays JSON."""
    store = ["--storage", str(tmp_path)]
    main(["org", "create", "acme", "--name", "Café 漢字", *store])
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    assert main(["org", "list", *store]) == 0
    assert main(["settings", "show", "--org", "acme", *store]) == 0
    assert b"Caf\\xe9 \\u6f22\\u5b57" in raw.getvalue()
    assert raw.getvalue().isascii()
