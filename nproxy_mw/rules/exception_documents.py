"""Documents about exceptions: what a valid one looks like, and the exceptions that a list of them makes. Pure.

The author of an exception is always the one who asks for it: an author in a document is not believed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from nproxy_mw.npm.names import MAX_LENGTH, parse_name
from nproxy_mw.npm.ranges import parse_range
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.exceptions import Exceptions, RuleException, load
from nproxy_mw.rules.values import Problems, ValueType, list_of, object_of, one_of, or_null, simple, text
from nproxy_mw.times import parse_time, timestamp

MAX_EXCEPTIONS = 1000
MAX_VERSIONS = 100
"""Versions and ranges of one exception."""

MAX_TEXT = 500
"""Characters of a reason, and of an author."""


def _parses(parse: Callable[[str], object], value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(parse(value))
    except ValueError:  # `BadRequest` is one
        return False


PACKAGE = simple(
    lambda value: _parses(parse_name, value),
    "This must be the name of a package.",
    {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
)
VERSIONS = list_of(
    simple(
        lambda value: _parses(parse_range, value) and bool(value.strip()),
        "This must be a version or an npm range, such as 1.2.3 or ^1.2.0.",
        {"type": "string", "minLength": 1},
    ),
    least=1,
    most=MAX_VERSIONS,
    sentence=f"This must be a list of 1 to {MAX_VERSIONS} versions or npm ranges; leave it out for all versions.",
)
TIME = simple(
    lambda value: _parses(parse_time, value),
    "This must be a time with its zone, such as 2027-01-31T00:00:00Z.",
    {"type": "string", "format": "date-time"},
)
_REASON = text(MAX_TEXT).described("Why it is needed.")
_END = TIME.described("When the exception ends.")
_COMMENT = or_null(text(MAX_TEXT)).described("What to tell the one who asked.")
APPROVAL = object_of(
    {"expiresAt": _END, "comment": _COMMENT},
    required=("expiresAt",),
    sentence="This must be an object with expiresAt, and optionally comment.",
)
DENIAL = object_of({"comment": _COMMENT}, sentence="This must be an object, which may have a comment.")
"""The types of the two answers to a request."""


def scope_of(catalog: Catalog) -> dict[str, ValueType]:
    """Returns the types of what an exception is for: its package, versions and rules."""
    rules = list_of(
        one_of(*catalog.ids),
        least=1,
        most=max(1, len(catalog.ids)),
        sentence="This must be a list of rules; leave it out for all of them.",
    )
    return {
        "package": PACKAGE.described("The name of the package."),
        "versions": or_null(VERSIONS).described("Exact versions and npm ranges; all versions when left out."),
        "rules": or_null(rules).described("Ids of rules; every rule when left out."),
    }


def type_of(catalog: Catalog) -> ValueType:
    """Returns the type of an exception as the management API takes it."""
    return object_of(
        scope_of(catalog)
        | {
            "reason": _REASON,
            "author": or_null(text(MAX_TEXT)).described("Who made it. Set by the server, whatever a request says."),
            "expiresAt": _END,
        },
        required=("package", "reason", "expiresAt"),
        sentence="This must be an object with package, reason and expiresAt, and optionally versions and rules.",
    )


def request_type_of(catalog: Catalog) -> ValueType:
    """Returns the type of a request for an exception."""
    return object_of(
        scope_of(catalog) | {"reason": _REASON},
        required=("package", "reason"),
        sentence="This must be an object with package and reason, and optionally versions and rules.",
    )


def merge(
    current: Exceptions, change: Any, path: str, problems: Problems, *, author: str, now: datetime, catalog: Catalog
) -> Exceptions:
    """Returns the exceptions that the list *change* describes, to replace *current*.

    An exception of *current* may be in the list as it is, even after its end, and keeps its author. The author of every
    other one is *author*. What is invalid is added to *problems*; the result is then incomplete.
    """
    if not isinstance(change, list) or len(change) > MAX_EXCEPTIONS:
        problems.add(path, f"This must be a list of at most {MAX_EXCEPTIONS} exceptions.")
        return current
    standing = {_spelling(one.to_document()): one for one in current}
    exception_type = type_of(catalog)
    made: list[RuleException] = []
    for place, document in enumerate(change):
        kept, where = standing.get(_spelling(document)), f"{path}[{place}]"
        if kept is not None:
            made.append(kept)
        elif exception_type.accepts(document, where, problems):
            expires_at = parse_time(document["expiresAt"])
            if expires_at <= now:
                problems.add(f"{where}.expiresAt", "This is in the past.")
            made.append(load({**document, "author": printable(author), "expiresAt": timestamp(expires_at)}))
    return Exceptions(made)


def printable(name: str) -> str:
    """Returns the name of a person or a token as it is stored: printable, and not too long."""
    return "".join(character for character in name[:MAX_TEXT] if character.isprintable()).strip() or "unnamed"


def _spelling(document: Any) -> str:
    """Returns a text that is the same for equal documents."""
    return repr(sorted(document.items())) if isinstance(document, dict) else ""
