"""``nproxy-mw settings``: the settings of an organization, in the words of the management API."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nproxy_mw.cli.options import ACTOR, UsageError, add_store_options, organization_of
from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import parse_object, parse_value

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_SET = """\
Changes the settings that are named, at once and in every running server; prints them all.

  nproxy-mw settings set internalScopes=@acme,@acme-labs publicReads=false
  nproxy-mw settings set rules.first_seen.mode=warn rules.first_seen.days=3
  nproxy-mw settings set '{"internalScopes": ["@acme"]}'

A value is JSON, or else text as it stands.
"""


def add_to(commands: Commands) -> None:
    """Adds the command and its two subcommands."""
    parser = commands.add_parser("settings", help="show and change settings", description=__doc__)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = verbs.add_parser("show", help="print all of them as JSON")
    show.set_defaults(run=_show)
    change = verbs.add_parser(
        "set", help="change some", description=_SET, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    change.add_argument("change", nargs="+", metavar="KEY=VALUE", help="or one JSON object")
    change.set_defaults(run=_change)
    for verb in (show, change):
        add_store_options(verb)


def _show(parsed: argparse.Namespace) -> int:
    _print(organization_of(parsed).settings.get().to_document())
    return 0


def _change(parsed: argparse.Namespace) -> int:
    settings = organization_of(parsed, make=True).settings.change(change_of(parsed.change), actor=ACTOR)
    _print(settings.to_document())
    return 0


def change_of(changes: Iterable[str]) -> dict[str, Any]:
    """The settings that command line arguments name.

    Raises:
        UsageError: one is neither KEY=VALUE nor a JSON object, or two of them contradict each other.
        BadRequest: a JSON object has more than one reading.
    """
    wish: dict[str, Any] = {}
    for change in changes:
        if change.lstrip().startswith("{"):
            _merge(wish, parse_object(change.encode(), "The argument"))
            continue
        key, equals, text = change.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"{change!r} is not KEY=VALUE, like publicReads=false.")
        value = _value(key, text)
        for part in reversed(key.split(".")):
            value = {part: value}
        _merge(wish, value)
    return wish


def _merge(wish: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(wish.get(key), dict):
            _merge(wish[key], value)
        elif key in wish:
            raise UsageError(f"{key!r} is given twice.")
        else:
            wish[key] = value


def _value(key: str, text: str) -> Any:
    try:
        return parse_value(text.encode("utf-8", "surrogateescape"), "The value")
    except BadRequest:
        return text.split(",") if key == "internalScopes" else text


def _print(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))
