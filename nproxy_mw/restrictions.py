"""What narrows an API token beyond its scopes: the internal packages it is for, and the addresses it is used from.

A pattern of packages is one of three::

    @acme          every package of the scope
    @acme/utils    this package
    @acme/web-*    the packages whose names begin so

An address range is CIDR, such as ``10.0.0.0/8`` or ``2001:db8::/32``, or a single address. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias, TypeVar

from msgspec import Struct

from nproxy_mw.errors import BadRequest

T = TypeVar("T")

MAX_ENTRIES = 100
"""Patterns of one token, and address ranges."""

_LONGEST = 214  # characters of an entry; a package's name has no more
_LISTED = 5  # patterns that a sentence names
_PATTERN = re.compile(r"@[a-z0-9_-][a-z0-9._-]*(?:/\*|/[a-z0-9_-][a-z0-9._-]*\*?)?", re.ASCII)

Address: TypeAlias = IPv4Address | IPv6Address
AddressRange: TypeAlias = IPv4Network | IPv6Network


class Restrictions(Struct, frozen=True):
    """What a token is for. An empty field restricts nothing."""

    packages: tuple[str, ...] = ()
    addresses: tuple[AddressRange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.packages or self.addresses)

    def __str__(self) -> str:
        """Returns everything that a token is for, with commas between."""
        return ",".join(entry for entries in self.to_document().values() for entry in entries)

    def covers(self, package: str) -> bool:
        """Returns whether the token is for the internal package *package*: ``@scope/base``."""
        return not self.packages or any(_fits(pattern, package) for pattern in self.packages)

    def admits(self, ip: str) -> bool:
        """Returns whether the token may be used from *ip*. Text that is no address is in no range."""
        if not self.addresses:
            return True
        address = parse_address(ip)
        return address is not None and any(address in one for one in self.addresses)

    def packages_in_words(self) -> str:
        """Returns the patterns, for the middle of a sentence."""
        more = f" and {len(self.packages) - _LISTED} more" if len(self.packages) > _LISTED else ""
        return f"{', '.join(self.packages[:_LISTED])}{more}"

    def to_document(self) -> dict[str, list[str]]:
        """Returns the restrictions as JSON has them: two lists of text."""
        return {"packages": list(self.packages), "addresses": [str(one) for one in self.addresses]}


UNRESTRICTED = Restrictions()


def parse_address(text: str) -> Address | None:
    """Returns the address *text*, or None. One of IPv4 within IPv6 is the IPv4 address; a zone is left out."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def parse_pattern(text: object) -> str:
    """Returns a pattern of packages in its plainest form. Raises `BadRequest`."""
    if not isinstance(text, str) or len(text) > _LONGEST or not _PATTERN.fullmatch(text):
        raise BadRequest(
            "A pattern of packages is @scope, @scope/name or @scope/prefix-*, in lower case.", code="invalid-packages"
        )
    return text.removesuffix("/*")


def parse_range(text: object) -> AddressRange:
    """Returns an address range: CIDR, or one address. Raises `BadRequest`."""
    if not isinstance(text, str) or len(text) > _LONGEST or "%" in text:
        raise BadRequest(_NO_RANGE, code="invalid-addresses")
    try:
        found = ip_network(text)
    except ValueError as error:
        raise BadRequest(f"{_NO_RANGE}{_meant(text)}", code="invalid-addresses") from error
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped:
        # Requests from there come from an IPv4 address.
        raise BadRequest("Write a range of IPv4 addresses like 10.0.0.0/8.", code="invalid-addresses")
    return found


def parse_packages(value: object) -> tuple[str, ...]:
    """Returns the patterns of packages that *value* lists. None restricts nothing.

    Raises:
        BadRequest: it is no list of patterns, is empty, or has more than `MAX_ENTRIES`.
    """
    return _entries(value, parse_pattern, "packages")


def parse_addresses(value: object) -> tuple[AddressRange, ...]:
    """Returns the address ranges that *value* lists. None restricts nothing. Raises as `parse_packages`."""
    return _entries(value, parse_range, "addresses")


def _entries(value: object, parse: Callable[[object], T], what: str) -> tuple[T, ...]:
    if value is None:
        return ()
    entries = value if isinstance(value, list | tuple) else ()
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise BadRequest(
            f"The {what} of a token are a list of 1 to {MAX_ENTRIES}; left out, all are meant.", code=f"invalid-{what}"
        )
    return tuple(dict.fromkeys(map(parse, entries)))


def _fits(pattern: str, package: str) -> bool:
    if pattern.endswith("*"):
        return package.startswith(pattern[:-1])
    return package == pattern or package.startswith(f"{pattern}/")


_NO_RANGE = "An address range is CIDR, such as 10.0.0.0/8 or 2001:db8::/32, or one address."


def _meant(text: str) -> str:
    """What to write in the place of a range whose address has bits after the prefix."""
    try:
        return f" The range around this one is {ip_network(text, strict=False)}."
    except ValueError:
        return ""
