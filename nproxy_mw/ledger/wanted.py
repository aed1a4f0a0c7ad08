"""Which installs a question is about: a package, a range of its versions, a token. Pure."""

from __future__ import annotations

from collections.abc import Callable

from nproxy_mw.ledger.facts import InstallKey
from nproxy_mw.npm.ranges import parse_range
from nproxy_mw.npm.versions import parse_loose


def wanted(*, package: str = "", versions: str = "", token: str = "") -> Callable[[InstallKey], bool]:
    """Returns whether a fact is asked for. What is empty is not looked at.

    *versions* is a version or one of npm's ranges, in which prereleases take part like other versions.

    Raises:
        BadRequest: *versions* is not a range.
    """
    is_version = matches(versions) if versions else None

    def is_wanted(key: InstallKey) -> bool:
        return (
            package in ("", key.package)
            and token in ("", key.token)
            and (is_version is None or is_version(key.version))
        )

    return is_wanted


def matches(versions: str) -> Callable[[str], bool]:
    """Returns whether a version is in the range *versions*. Raises `BadRequest` when it is not a range."""
    # An old number such as 3.0.0rc5 can be asked for, too.
    found = parse_range(versions, loose=parse_loose(versions) is not None)

    def is_in(version: str) -> bool:
        number = parse_loose(version)
        return number is not None and found.matches(number, include_prerelease=True)

    return is_in
