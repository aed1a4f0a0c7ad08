"""Options: a flag, a variable and a key of a file each, and the sentence for what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from nproxy_mw.cli import COMMANDS, command_named, serve
from nproxy_mw.cli.command import Command
from nproxy_mw.cli.config_file import ConfigFile, read_config
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.values import whole

FILE = "/etc/nproxy.toml"
URL = Option("public-url", "where", "URL", default="of code")
WORKERS = Option("workers", "how many", "N", parse=whole(1, 256), default="2")
SCOPES = Option("scope", "which", "@SCOPE", many=True)
SWITCH = Option("access-log", "log")
SECRET = Option("seal-key", "seals", "KEY", parse=whole(1, 2), secret=True)


def resolved(option, flag=None, variable=None, file=None):
    environ = {} if variable is None else {option.variable: variable}
    values = {} if file is None else {option.name: file}
    return option.resolve(flag, environ, ConfigFile(FILE, values))


def refused(option, **given):
    with pytest.raises(UsageError) as caught:
        resolved(option, **given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        pytest.param({"flag": "a", "variable": "b", "file": "c"}, "a", id="the flag first"),
        pytest.param({"variable": "b", "file": "c"}, "b", id="then the variable"),
        pytest.param({"file": "c"}, "c", id="then the file"),
        pytest.param({}, "of code", id="then the default"),
        pytest.param({"variable": "", "file": "c"}, "c", id="an empty variable is none"),
    ],
)
def test_flag_wins_over_variable_over_file_over_default(given, value):
    """--public-url, NPROXY_PUBLIC_URL, public-url in the file, and what is built in."""
    assert URL.variable == "NPROXY_PUBLIC_URL"
    assert resolved(URL, **given) == value


@pytest.mark.parametrize(
    ("option", "given", "value"),
    [
        pytest.param(SCOPES, {"flag": ["@a", "@b", "@a"]}, ("@a", "@b"), id="repeated flag"),
        pytest.param(SCOPES, {"variable": "@acme, @b @c"}, ("@acme", "@b", "@c"), id="spaces and commas"),
        pytest.param(SCOPES, {"file": ["@a", "@b"]}, ("@a", "@b"), id="list in a file"),
        pytest.param(SCOPES, {"file": "@a"}, ("@a",), id="one in a file"),
        pytest.param(SCOPES, {}, (), id="none"),
        pytest.param(SWITCH, {"flag": True}, True, id="switched on"),
        pytest.param(SWITCH, {"flag": False, "variable": "1"}, False, id="switched off again"),
        pytest.param(SWITCH, {"variable": "no"}, False, id="switch in a variable"),
        pytest.param(SWITCH, {"file": True}, True, id="switch in a file"),
        pytest.param(SWITCH, {}, False, id="off unless said"),
        pytest.param(WORKERS, {"file": 4}, 4, id="number in a file"),
        pytest.param(WORKERS, {}, 2, id="default is parsed, too"),
    ],
)
def test_values(option, given, value):
    """Lists, switches and numbers, from wherever they come."""
    assert resolved(option, **given) == value


@pytest.mark.parametrize(
    ("option", "given", "said"),
    [
        pytest.param(WORKERS, {"flag": "x"}, "--workers 'x' is not a whole number from 1 to 256.", id="flag"),
        pytest.param(WORKERS, {"variable": "0"}, "NPROXY_WORKERS '0' is not a whole number from 1 to 256.", id="var"),
        pytest.param(WORKERS, {"file": 9.5}, f"workers in {FILE} '9.5' is not a whole number from 1 to 256.", id="f"),
        pytest.param(WORKERS, {"file": True}, f"workers in {FILE} must be one N.", id="truth where a number is wanted"),
        pytest.param(WORKERS, {"file": ["1"]}, f"workers in {FILE} must be one N.", id="list where one is wanted"),
        pytest.param(URL, {"flag": ""}, "--public-url is empty: give URL, or leave it out.", id="empty flag"),
        pytest.param(URL, {"file": ""}, f"public-url in {FILE} is empty: give URL, or leave it out.", id="in a file"),
        pytest.param(SWITCH, {"variable": "2"}, "NPROXY_ACCESS_LOG '2' is not true or false.", id="switch"),
        pytest.param(SECRET, {"variable": "hush"}, "NPROXY_SEAL_KEY is not a whole number from 1 to 2.", id="secret"),
    ],
)  # fmt: skip
def test_invalid_value_is_a_sentence_that_names_its_source(option, given, said):
    """One cannot look for a mistake in the wrong place; a secret is not quoted."""
    assert refused(option, **given) == said


def test_required_option_may_be_a_variable():
    """Only without any is it missing."""
    option = Option("scope", "what it may do", "SCOPE", many=True, required=True, group="token")
    assert resolved(option, variable="proxy") == ("proxy",)
    assert refused(option) == "--scope is missing: what it may do."


# An option of the same name means something else there: whose it is, and not whose registry is served.
OWN_MEANING = ("token create", "admin create", "admin role")


TOP = tuple(command_named(name) for name in COMMANDS)


def commands(table=TOP, words=()):
    for entry in table:
        if isinstance(entry, Command):
            yield " ".join((*words, entry.name)), entry
        else:
            yield from commands(entry.commands, (*words, entry.name))


@pytest.mark.parametrize(("name", "command"), [pytest.param(*each, id=each[0]) for each in commands()])
def test_variables_of_a_command_are_its_own_or_the_servers(name, command):
    """No two options that mean different things share a variable: `token create --scope` is not `serve --scope`."""
    shared = {option.name for option in serve.OPTIONS}
    for option in command.options:
        assert option.group == ("" if option.name in shared and name not in OWN_MEANING else option.group)
        if not option.group:
            assert option.name in shared
    assert len({option.variable for option in command.options}) == len(command.options)


def config(tmp_path, text):
    path = tmp_path / "nproxy.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_file_is_read(tmp_path):
    """TOML, whose keys are the options' names."""
    path = config(tmp_path, 'storage = "/srv/npm"\nscope = ["@acme"]\nworkers = 4\naccess-log = true\n')
    values = read_config(path, ["storage", "scope", "workers", "access-log"]).values
    assert values == {"storage": "/srv/npm", "scope": ["@acme"], "workers": 4, "access-log": True}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("public_url = 1", "There is no key 'public_url' in a configuration file", id="unknown key"),
        pytest.param("public_url = 1", "did you mean 'public-url'?", id="near one"),
        pytest.param("colour = 1", "the keys are public-url, workers.", id="far from any"),
        pytest.param("workers =", "is not TOML: ", id="not TOML"),
        pytest.param(b"\xff", "is not TOML: ", id="not UTF-8"),
        pytest.param("[workers]\nx = 1", "workers in", id="a table"),
        pytest.param("workers = [1]", "must be text, a number, true or false, or a list of text.", id="list"),
        pytest.param("#" * 70_000, "is larger than 64 KiB.", id="too large"),
        pytest.param("a=" + "[" * 5000, "is not TOML", id="too deep"),
    ],
)  # fmt: skip
def test_invalid_file_is_a_sentence(tmp_path, text, said):
    """A typo in a file must not be passed over."""
    with pytest.raises(ValueError, match=r"\A[A-Za-z].*[.?]\Z") as caught:
        read_config(config(tmp_path, text), ["public-url", "workers"])
    assert said in str(caught.value)


def test_file_that_is_missing_is_said(tmp_path):
    """With the system's reason."""
    with pytest.raises(ValueError, match=r"none\.toml cannot be read: No such file or directory\."):
        read_config(tmp_path / "none.toml", [])


PAGE = (Path(__file__).parents[2] / "docs" / "running.md").read_text()


@pytest.mark.parametrize("option", serve.OPTIONS, ids=lambda option: option.name)
def test_page_has_every_option(option):
    """With its flag, unless it is a secret; its variable; and its default."""
    shown = f"`{option.name}`" if option.secret else f"`{option.flag}{f' {option.metavar}' if option.metavar else ''}`"
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {shown} ")]
    assert f"| `{option.variable}` |" in row
    if option.default is not None:
        assert option.default in row.split("|")[3]
