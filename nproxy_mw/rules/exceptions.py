"""Exceptions from the rules: what an organization lets through although a rule flags it, why, and until when. Pure.

An exception is for one package. Without versions it covers all of them, and without rules it holds for every rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import Json
from nproxy_mw.npm.ranges import Range, parse_range
from nproxy_mw.npm.versions import parse_loose
from nproxy_mw.times import parse_time, timestamp

UNLESS_NAMED = frozenset({"blocklist"})
"""Rules that an exception covers only when it names them: what is blocked by hand is newer than an old exception."""

_MEMBERS = frozenset({"package", "versions", "rules", "reason", "author", "expiresAt"})


class RuleException(Struct, frozen=True):
    """One exception. It is a value, not an error.

    *versions* are exact versions and npm ranges; None means all. *rules* are ids; None means every rule. It ends at
    *expires_at*, an aware UTC time. *unknown* are members that a newer version of this package stored: they are kept,
    and the exception covers nothing here, because they may narrow it.
    """

    package: str
    reason: str
    author: str
    expires_at: datetime
    versions: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None
    unknown: Json = field(default_factory=dict)

    def covers(self, version: str, rule: str, now: datetime) -> bool:
        """Whether *rule* lets *version* of the package through at the time *now*."""
        is_meant = rule not in UNLESS_NAMED if self.rules is None else rule in self.rules
        if now >= self.expires_at or self.unknown or not is_meant:
            return False
        return self.versions is None or any(_holds(versions, version) for versions in self.versions)

    def to_document(self) -> dict[str, Any]:
        """Returns the exception as the management API shows it and as it is stored."""
        document: dict[str, Any] = {"package": self.package}
        if self.versions is not None:
            document["versions"] = list(self.versions)
        if self.rules is not None:
            document["rules"] = list(self.rules)
        written = {"reason": self.reason, "author": self.author, "expiresAt": timestamp(self.expires_at)}
        return {**document, **written, **self.unknown}


class Exceptions:
    """The exceptions of one organization, in their order, and by package for a quick answer."""

    def __init__(self, exceptions: Iterable[RuleException] = ()) -> None:
        self._all = tuple(exceptions)
        self._by_package: dict[str, list[RuleException]] = {}
        for exception in self._all:
            self._by_package.setdefault(exception.package, []).append(exception)

    def __iter__(self) -> Iterator[RuleException]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exceptions) and self._all == other._all

    def __repr__(self) -> str:
        return f"Exceptions({list(self._all)})"

    def of(self, package: str) -> Sequence[RuleException]:
        """Returns the exceptions for one package, expired ones too."""
        return self._by_package.get(package, ())

    def covering(self, package: str, version: str, rule: str, now: datetime) -> RuleException | None:
        """Returns the exception by which *rule* lets a version through for the longest time, or None."""
        holding = (one for one in self.of(package) if one.covers(version, rule, now))
        return max(holding, key=lambda one: one.expires_at, default=None)

    def ends(self, package: str, now: datetime) -> Callable[[str, str], datetime | None]:
        """Returns a function that returns when the exception ends that covers a version from a rule, else None."""
        if not self.of(package):
            return _never  # it is asked for each finding, and nearly all packages have no exception

        def end_of(version: str, rule: str) -> datetime | None:
            exception = self.covering(package, version, rule, now)
            return exception.expires_at if exception else None

        return end_of


def load(document: Json) -> RuleException:
    """Returns the exception that `RuleException.to_document` describes.

    The grammar of names and versions is not checked again: it may have changed since.

    Raises:
        ValueError, KeyError, TypeError: it is damaged.
    """
    required = {key: document[key] for key in ("package", "reason", "author")}
    if not all(isinstance(value, str) for value in required.values()):
        raise TypeError("not text")
    return RuleException(
        **required,
        expires_at=parse_time(document["expiresAt"]),
        versions=texts(document.get("versions")),
        rules=texts(document.get("rules")),
        unknown={key: value for key, value in document.items() if key not in _MEMBERS},
    )


def _never(version: str, rule: str) -> datetime | None:
    return None


def texts(value: Any) -> tuple[str, ...] | None:
    """Returns a stored list of text as a tuple, and None as it is. Raises TypeError when it is something else."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise TypeError("not a list of text")
    return tuple(value)


def _holds(versions: str, version: str) -> bool:
    # Old numbers of the public registry, such as 3.0.0rc5, are read as npm reads them; what is no number, as text.
    parsed, found = _range(versions), parse_loose(version)
    return version == versions or (parsed is not None and found is not None and parsed.matches(found))


@lru_cache(maxsize=1024)
def _range(versions: str) -> Range | None:
    try:
        return parse_range(versions)
    except BadRequest:
        return None
