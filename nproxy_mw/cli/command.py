"""What a command is, and the parser that the table of commands makes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct

from nproxy_mw.cli.config_file import read_config
from nproxy_mw.cli.options import Option, UsageError

Parsed: TypeAlias = argparse.Namespace
"""What a command runs with: an attribute for each of its arguments and options."""


class Argument(Struct, frozen=True):
    """A positional argument. *many* stands for one or more; with *optional*, for none, too."""

    name: str
    metavar: str
    help: str
    many: bool = False
    optional: bool = False


class Command(Struct, frozen=True):
    """One command, or one verb of a `Group`. *run* returns the exit code.

    *text* is what ``--help`` teaches, examples included. *help* is the line in the list of a group's verbs; the
    program's own list is `nproxy_mw.cli.COMMANDS`.
    """

    name: str
    run: Callable[[Parsed], int]
    text: str
    help: str = ""
    arguments: Sequence[Argument] = ()
    options: Sequence[Option] = ()


class Group(Struct, frozen=True):
    """Commands with a common first word."""

    name: str
    text: str
    commands: Sequence[Command]


Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The words that may come next, each with a parser of what comes after it."""


def verbs_of(parser: argparse.ArgumentParser) -> Verbs:
    """Returns the commands of *parser*, none yet. One of them is required."""
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_command(verbs: Verbs, command: Command | Group, *, help: str) -> None:  # noqa: A002 - as argparse calls it
    """Adds *command* to *verbs*; *help* is its line there. When it is chosen, the namespace has it as ``command``."""
    parser = verbs.add_parser(
        command.name,
        help=help,
        description=command.text,
        epilog=None if isinstance(command, Group) else _secrets(command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if isinstance(command, Group):
        inner = verbs_of(parser)
        for verb in command.commands:
            add_command(inner, verb, help=verb.help)
    else:
        _add_arguments(parser, command)


def resolve(parsed: Parsed, known: Callable[[], Iterable[Option]]) -> Parsed:
    """Returns *parsed* with the value of each option of its command: flag, else variable, else file, else default.

    *known* returns the options that a configuration file may name. It is called when there is one.

    Raises:
        UsageError: a value is invalid, or the configuration file is.
    """
    options = parsed.command.options
    file = None
    path = next((_value(option, parsed) for option in options if option.name == "config"), None)
    if path is not None:
        try:
            file = read_config(Path(path), [option.name for option in known() if option.name != "config"])
        except ValueError as error:
            raise UsageError(str(error)) from error
    for option in options:
        setattr(parsed, option.attribute, option.resolve(getattr(parsed, option.attribute, None), os.environ, file))
    return parsed


def _value(option: Option, parsed: Parsed) -> Any:
    return option.resolve(getattr(parsed, option.attribute), os.environ)


def _add_arguments(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.set_defaults(command=command)
    for argument in command.arguments:
        nargs = ("*" if argument.optional else "+") if argument.many else None
        parser.add_argument(argument.name, metavar=argument.metavar, help=argument.help, nargs=nargs)
    sections: dict[str, Any] = {"options": parser}
    for option in command.options:
        if option.secret or option.inherited:
            continue
        section = sections.get(option.section)
        if section is None:
            section = sections[option.section] = parser.add_argument_group(option.section)
        how: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        if option.metavar:
            how = {"metavar": option.metavar}
        if option.many:
            how["action"] = "append"
        section.add_argument(option.flag, dest=option.attribute, default=None, help=_escaped(option.text), **how)


def _secrets(command: Command) -> str:
    """What ``--help`` says of the options that have no flag."""
    secrets = [option for option in command.options if option.secret and not option.inherited]
    lines = [f"  {option.variable.ljust(22)}  {option.help}" for option in secrets]
    title = "secrets, as variables or in the configuration file, never as arguments:"
    return "\n".join([title, *lines]) if lines else ""


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
