"""Packages as arguments name them: ``NAME`` or ``NAME@VERSION``."""

from __future__ import annotations

from nproxy_mw.cli.options import UsageError
from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.names import Name, parse_name


def parse_specifier(text: str) -> tuple[Name, str]:
    """Returns the package that *text* names, and its version: any text, empty where none is named.

    Raises:
        UsageError: there is no valid name, or nothing after the ``@``.
    """
    name, at, version = text[1:].partition("@")
    try:
        parsed = parse_name(text[:1] + name)
    except BadRequest as error:
        raise UsageError(f"{text!r} is not NAME or NAME@VERSION, like axios@1.14.1.") from error
    if at and not version.strip():
        raise UsageError(f"{text!r} has nothing after the @.")
    return parsed, version.strip()
