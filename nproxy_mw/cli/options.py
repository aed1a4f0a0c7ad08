"""What an option is, and where its value comes from: the flag, else the variable, else the configuration file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from nproxy_mw.cli.config_file import ConfigFile
from nproxy_mw.cli.values import switch


class UsageError(Exception):
    """The program cannot do what it was asked to do. The message is one sentence; the exit code is 2."""


class Option(Struct, frozen=True):
    """One thing that a user can choose for a command.

    Without a *metavar* it is a switch. *parse* turns text into the value, and raises `ValueError` with the end of a
    sentence. *default* is text, too; if it is None, the value is None, and *otherwise* says what happens then. With
    *many*, the option may be given several times, a variable separates values by spaces or commas, and the value is a
    tuple. *group* is the command whose own the option is; it becomes a part of the variable's name.

    A *secret* has no flag, because others on the machine can read those. Messages quote neither a secret nor what is
    not *quoted*: a URL may hold a password. An *inherited* option has no flag either; it belongs to another command.
    """

    name: str
    help: str
    metavar: str = ""
    parse: Callable[[str], Any] = str
    default: str | None = None
    otherwise: str = ""
    many: bool = False
    required: bool = False
    secret: bool = False
    quoted: bool = True
    inherited: bool = False
    group: str = ""
    section: str = "options"

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return f"--{self.name}"

    @property
    def attribute(self) -> str:
        """The option in the namespace of parsed arguments."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The option in the environment."""
        return "_".join(filter(None, ("NPROXY", self.group.upper(), self.attribute.upper())))

    @property
    def text(self) -> str:
        """What ``--help`` says of it."""
        default = self.otherwise or self.default
        shown = f" (default: {default})" if default is not None and default != "" else ""
        return f"{self.help}{shown} [{self.variable}]"

    def resolve(self, flag: Any, environ: Mapping[str, str], file: ConfigFile | None = None) -> Any:
        """Returns the option's value. An empty variable counts as none.

        *flag* is what the command line gives: None, True for a switch, text, or a list of text.

        Raises:
            UsageError: the value is invalid; the sentence names its source. Or a required one is missing.
        """
        if flag is not None:
            return self._parsed(flag, self.flag)
        if text := environ.get(self.variable):
            return self._parsed(text.replace(",", " ").split() if self.many else text, self.variable)
        if file is not None and self.name in file.values:
            return self._parsed(file.values[self.name], f"{self.name} in {file.path}")
        if self.required:
            raise UsageError(f"{self.flag} is missing: {self.help}.")
        if self.default is None:
            return () if self.many else None if self.metavar else False
        return self.parse(self.default)

    def _parsed(self, value: Any, source: str) -> Any:
        if self.many:
            values = value if isinstance(value, list) else [value]
            return tuple(dict.fromkeys(self._one(one, source) for one in values))
        return self._one(value, source)

    def _one(self, value: Any, source: str) -> Any:
        if isinstance(value, list) or (isinstance(value, bool) and self.metavar):
            raise UsageError(f"{source} must be one {self.metavar or 'true or false'}.")
        if isinstance(value, bool):
            return value
        text = str(value)
        if not text:
            raise UsageError(f"{source} is empty: give {self.metavar or 'true or false'}, or leave it out.")
        try:
            return (self.parse if self.metavar else switch)(text)
        except ValueError as error:
            is_shown = self.quoted and not self.secret
            raise UsageError(f"{source}{f' {text!r}' if is_shown else ''} {error}.") from (error if is_shown else None)
