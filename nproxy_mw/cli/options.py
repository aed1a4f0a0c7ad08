"""What the commands share: options with variables behind them, and the organization they are about."""

from __future__ import annotations

import argparse
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from nproxy_mw.access import Actor
from nproxy_mw.npm.names import is_internal_scope
from nproxy_mw.orgs.organization import Organization, made_organization_at, organization_at
from nproxy_mw.times import parse_duration

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

ACTOR = Actor(name="command line")
"""Who the audit trail says it was when a command changed something."""

DEFAULT_STORAGE = "nproxy-data"
DEFAULT_ORG = "default"


class UsageError(Exception):
    """The program was asked for something it cannot do. One sentence; exit code 2."""


def add_option(parser: argparse.ArgumentParser, flag: str, default: Any = None, **how: Any) -> None:
    """Adds *flag*, whose default is its ``NPROXY_`` variable when that is set, else *default*."""
    variable = "NPROXY_" + flag.removeprefix("--").replace("-", "_").upper()
    given = os.environ.get(variable) or default
    shown = f" (default: {default})" if default is not None else ""
    parser.add_argument(flag, default=given, **{**how, "help": f"{how['help']}{shown} [{variable}]"})


def duration(text: str) -> timedelta:
    """Returns the duration that an argument names. Raises ArgumentTypeError when it names none."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_storage_option(parser: argparse.ArgumentParser) -> None:
    """Adds --storage, which every command has."""
    add_option(
        parser, "--storage", DEFAULT_STORAGE, metavar="URL", help="where everything is kept: a folder or an fsspec URL"
    )


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Adds --storage and --org, which commands have that are about one organization."""
    add_storage_option(parser)
    add_option(parser, "--org", DEFAULT_ORG, metavar="ID", help="the organization")


def organization_of(parsed: argparse.Namespace, *, make: bool = False) -> Organization:
    """The organization that the options name, on its storage, read strictly.

    With *make*, the one that is meant when none is named is made when it is not there: a token can be made before the
    first start of a server.

    Raises:
        UsageError: there is no such kind of storage, or no such organization in it.
    """
    try:
        organization = organization_at(parsed.storage, parsed.org, freshness=0)
        if next(iter(organization.storage.list()), None) is not None:
            return organization
        if make and parsed.org == DEFAULT_ORG:
            return made_organization_at(parsed.storage, parsed.org, actor=ACTOR)
    except ValueError as error:
        raise UsageError(str(error)) from error
    raise UsageError(
        f"There is no organization {parsed.org!r} in {parsed.storage}: name another --storage or --org, or make it "
        f"with 'nproxy-mw org create {parsed.org}'."
    )


def scopes_of(parsed: argparse.Namespace) -> list[str]:
    """The npm scopes given by --scope, or by NPROXY_SCOPE with spaces or commas between them.

    Raises:
        UsageError: one of them is not a scope.
    """
    given = parsed.scope if parsed.scope is not None else os.environ.get("NPROXY_SCOPE", "").replace(",", " ").split()
    for scope in given:
        if not is_internal_scope(scope):
            raise UsageError(
                f"{scope!r} is not an npm scope that packages can be published under: one looks like @acme."
            )
    return list(dict.fromkeys(given))
