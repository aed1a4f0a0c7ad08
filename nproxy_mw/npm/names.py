"""Package names: ``@scope/base`` and ``base``, as one parsed value.

The grammar is npm's (https://docs.npmjs.com/cli/configuring-npm/package-json#name, and the rules of
validate-npm-package-name), narrowed where a name would be unsafe in a URL. Three questions have three answers: what may
be asked for (`parse_name`), what may be published anew (`Name.is_publishable`), and what can be stored
(`Name.is_storable`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from msgspec import Struct

from nproxy_mw.errors import BadRequest

MAX_LENGTH = 214
"""Characters of a whole name, scope included: npm's own limit."""

# What encodeURIComponent leaves alone is what old packages may carry; a new one is lower case and plainer.
_PART = re.compile(r"[A-Za-z0-9~!*'()-][A-Za-z0-9._~!*'()-]*", re.ASCII)
_NEW_PART = re.compile(r"[a-z0-9-][a-z0-9._-]*", re.ASCII)
# npm looks for a leading '_' in the whole name, which begins with '@' when there is a scope.
_SCOPED_PART = re.compile(rf"_?{_PART.pattern}|_+", re.ASCII)
_NEW_SCOPED_PART = re.compile(r"[a-z0-9_-][a-z0-9._-]*", re.ASCII)
_SCOPE_PART = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*", re.ASCII)
_NEW_SCOPE_PART = re.compile(r"[a-z0-9_-][a-z0-9._-]*", re.ASCII)

_REFUSED = frozenset({"node_modules", "favicon.ico", "-"})  # by npm
# Names of devices on Windows, where a store may be copied to.
_DEVICES = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{device}{digit}" for device in ("com", "lpt") for digit in range(1, 10)
}


class Name(Struct, frozen=True, order=True):
    """A package's name. *scope* keeps its ``@`` (``"@acme"``) and is empty for an unscoped package."""

    scope: str
    base: str

    def __str__(self) -> str:
        return f"{self.scope}/{self.base}" if self.scope else self.base

    @property
    def wire(self) -> str:
        """The name as npm puts it into a URL path: ``@acme%2futils``."""
        return f"{self.scope}%2f{self.base}" if self.scope else self.base

    @property
    def is_publishable(self) -> bool:
        """Whether npm would accept the name for a new package: lower case and no marks but ``-``, ``_`` and ``.``."""
        if not self.scope:
            return bool(_NEW_PART.fullmatch(self.base))
        return bool(_NEW_SCOPED_PART.fullmatch(self.base) and _NEW_SCOPE_PART.fullmatch(self.scope[1:]))

    @property
    def is_storable(self) -> bool:
        """Whether every file system can hold the name: no device of Windows, and no dot at the end."""
        return _is_storable(self.scope[1:]) and _is_storable(self.base)

    def tarball(self, version: str) -> str:
        """Returns the file name of a version's tarball, without the scope: ``utils-1.0.0.tgz``."""
        return f"{self.base}-{version}.tgz"

    def version_in(self, filename: str) -> str:
        """Returns the version that the file name of one of the package's tarballs carries."""
        return filename.removeprefix(f"{self.base}-").removesuffix(".tgz")


def parse_name(text: str) -> Name:
    """Parses ``@scope/base`` or ``base``, already percent-decoded.

    Raises:
        BadRequest: it is not a package name.
    """
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"A package name has at most {MAX_LENGTH} characters.", code="invalid-name")
    scope, slash, base = text.partition("/") if text.startswith("@") else ("", "", text)
    if scope and not slash:
        raise BadRequest("A scope alone is not a package name; npm names are @scope/name.", code="invalid-name")
    pattern = _SCOPED_PART if scope else _PART
    if not pattern.fullmatch(base) or base.lower() in _REFUSED or (scope and not is_scope(scope)):
        raise BadRequest(
            "That is not a package name: npm names are name or @scope/name, made of letters, digits, '-', '_' and '.', "
            "not beginning with '.', and without a scope not with '_'.",
            code="invalid-name",
        )
    return Name(scope, base)


def names_in(texts: Iterable[str]) -> Iterator[Name]:
    """Yields the names among *texts*. What is no name is left out, such as what a damaged record has in its place."""
    for text in texts:
        with suppress(BadRequest):
            yield parse_name(text)


def is_scope(text: str) -> bool:
    """Returns whether *text* is a scope as npm writes it: ``@`` and a name part."""
    return text.startswith("@") and bool(_SCOPE_PART.fullmatch(text[1:])) and text[1:].lower() not in _REFUSED


def is_internal_scope(text: str) -> bool:
    """Returns whether *text* can be an internal scope: whether packages can still be published under it."""
    is_new = len(text) <= MAX_LENGTH - 2 and is_scope(text) and _NEW_SCOPE_PART.fullmatch(text[1:])
    return bool(is_new) and _is_storable(text[1:])


def _is_storable(part: str) -> bool:
    return not part.endswith(".") and part.lower() not in _DEVICES
