"""``nproxy-mw settings``: the settings of an organization, in the words of the management API."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nproxy_mw.cli.command import Argument, Command, Group, Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.settings_file import read_settings
from nproxy_mw.cli.stores import ACTOR, ONE_ORG, organization_of
from nproxy_mw.cli.terminal import print_json
from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import parse_object, parse_value
from nproxy_mw.times import utc_now

_TEXT = """\
The settings of an organization: internal scopes, rules and exceptions, limits. A change holds at once, in every
running server.

  nproxy-mw settings show
  nproxy-mw settings set internalScopes=@acme,@acme-labs
  nproxy-mw settings apply rules.toml
"""
_SHOW = """\
Prints all settings as JSON, which 'nproxy-mw settings apply' takes back.

  nproxy-mw settings show --org acme > settings.json
"""
_SET = """\
Changes the settings that are named, and prints all of them.

  nproxy-mw settings set internalScopes=@acme,@acme-labs publicReads=false
  nproxy-mw settings set rules.first_seen.mode=warn rules.first_seen.days=3
  nproxy-mw settings set '{"internalScopes": ["@acme"]}'

A value is JSON, or else text as it stands.
"""
_APPLY = """\
Makes the settings what a file says, so that they can be kept in git. The file is TOML when its name ends with .toml,
otherwise JSON; - is JSON from standard input. It has the words of the management API:

  internalScopes = ["@acme"]

  [rules.first_seen]
  mode = "warn"
  days = 3

  nproxy-mw settings apply rules.toml --diff        shows what would change; exit code 1 when something would
  nproxy-mw settings apply rules.toml               changes it; a second time, nothing

What the file does not name stays as it is.
"""


def _show(parsed: Parsed) -> int:
    print_json(organization_of(parsed).settings.get().to_document())
    return 0


def _set(parsed: Parsed) -> int:
    settings = organization_of(parsed, make=True).settings.change(change_of(parsed.change), actor=ACTOR)
    print_json(settings.to_document())
    return 0


def _apply(parsed: Parsed) -> int:
    document = read_settings(Path(parsed.file))
    store = organization_of(parsed, make=not parsed.diff).settings
    before = store.get()
    if parsed.diff:
        after = before.changed(document, author=ACTOR.name, now=utc_now(), catalog=store.catalog)
    else:
        after = store.change(document, actor=ACTOR)
    difference = _difference(before.to_document(), after.to_document())
    sys.stdout.writelines(difference)
    if not difference:
        print("The settings are as the file says.", file=sys.stderr)
    return 1 if parsed.diff and difference else 0


def change_of(changes: Iterable[str]) -> dict[str, Any]:
    """Returns the settings that command line arguments name.

    Raises:
        UsageError: one is neither KEY=VALUE nor a JSON object, or two of them contradict each other.
        BadRequest: a JSON object has more than one reading.
    """
    wanted: dict[str, Any] = {}
    for change in changes:
        if change.lstrip().startswith("{"):
            _merge(wanted, parse_object(change.encode(), "The argument"))
            continue
        key, equals, text = change.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"{change!r} is not KEY=VALUE, like publicReads=false.")
        value = _value(key, text)
        for part in reversed(key.split(".")):
            value = {part: value}
        _merge(wanted, value)
    return wanted


def _merge(wanted: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(wanted.get(key), dict):
            _merge(wanted[key], value)
        elif key in wanted:
            raise UsageError(f"{key!r} is given twice.")
        else:
            wanted[key] = value


def _value(key: str, text: str) -> Any:
    try:
        return parse_value(text.encode("utf-8", "surrogateescape"), "The value")
    except BadRequest:
        return text.split(",") if key == "internalScopes" else text


def _difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Returns the lines that differ, as a unified diff of both as JSON."""
    old, new = (f"{json.dumps(document, indent=2)}\n".splitlines(keepends=True) for document in (before, after))
    return list(difflib.unified_diff(old, new, "now", "file"))


COMMAND = Group(
    "settings",
    _TEXT,
    (
        Command("show", _show, _SHOW, help="print all of them as JSON", options=ONE_ORG),
        Command(
            "set",
            _set,
            _SET,
            help="change some",
            arguments=(Argument("change", "KEY=VALUE", "or one JSON object", many=True),),
            options=ONE_ORG,
        ),
        Command(
            "apply",
            _apply,
            _APPLY,
            help="make them what a file says",
            arguments=(Argument("file", "FILE", "TOML or JSON"),),
            options=(Option("diff", "change nothing, and show what would change", group="settings"), *ONE_ORG),
        ),
    ),
)
