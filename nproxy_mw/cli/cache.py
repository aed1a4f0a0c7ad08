"""``nproxy-mw cache``: what is kept of the upstream, and how to remove it."""

from __future__ import annotations

import sys

from nproxy_mw.cli.command import Argument, Command, Group, Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.specifiers import parse_specifier
from nproxy_mw.cli.stores import WHOLE_STORE
from nproxy_mw.cli.terminal import count, print_json, print_table
from nproxy_mw.cli.upstreams import CACHE, CACHE_SIZE, cache_of
from nproxy_mw.copies import replace
from nproxy_mw.upstream.cache_contents import amounts, clear

_TEXT = """\
What the upstream said is kept in a cache: packuments, tarballs, signing keys, and what the security rules decided on
them. It holds nothing that cannot be fetched again, and no internal package. All organizations of a server share it.

  nproxy-mw cache status --storage /srv/npm
  nproxy-mw cache clear lodash @types/node
"""
_STATUS = """\
Shows how much is kept, of what, and how much may be. The size is what the files take on the disk.

  nproxy-mw cache status --storage /srv/npm
  nproxy-mw cache status --cache /var/cache/npm --cache-size 50G --json
"""
_CLEAR = """\
Removes what is kept of some packages, or all of it. Servers may go on running: they fetch what is asked for next. While
the upstream is down, what was removed cannot be installed.

  nproxy-mw cache clear lodash @types/node          their packuments, tarballs and decisions
  nproxy-mw cache clear --all
"""
_ORDER = ("packuments", "tarballs", "documents", "decisions")


def _status(parsed: Parsed) -> int:
    url = _url(parsed)
    found = amounts(url)
    kinds = [*_ORDER, *sorted(found.keys() - set(_ORDER))]
    sizes = [amount.size for amount in found.values()]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    bound = None if total is None else parsed.cache_size
    if parsed.json:
        kept = {kind: {"count": found[kind].things, "bytes": found[kind].size} for kind in kinds if kind in found}
        print_json({"cache": url, "bytes": total, "bound": bound, "kept": kept})
        return 0
    rows = [[kind, f"{found[kind].things:,}", _bytes(found[kind].size)] for kind in kinds if kind in found]
    print_table(["KIND", "COUNT", "SIZE"], rows, empty=f"There is nothing in {url}.")
    if rows and total is not None:
        print(f"{_bytes(total)} of {_bytes(bound)} in {url}", file=sys.stderr)
    return 0


def _clear(parsed: Parsed) -> int:
    names = [_name(text) for text in parsed.packages]
    if bool(names) == bool(parsed.all):
        raise UsageError("Name the packages to remove, or give --all to remove everything that is kept.")
    removed = clear(_url(parsed), names, bound=parsed.cache_size)
    print(f"{count(removed, 'thing')} removed.", file=sys.stderr)
    return 0


def _url(parsed: Parsed) -> str:
    url = cache_of(parsed)
    if url is None:
        raise UsageError("With --cache none nothing is kept.")
    return url


def _name(text: str) -> str:
    name, version = parse_specifier(text)
    if version:
        raise UsageError(f"{text!r} names a version: name the package alone.")
    return str(name)


def _bytes(size: int | None) -> str:
    """Returns *size* as people read it: ``1.5G``."""
    if size is None:
        return "unknown"
    for unit, power in (("T", 40), ("G", 30), ("M", 20), ("K", 10)):
        if size >= 1 << power:
            return f"{size / (1 << power):.1f}{unit}"
    return f"{size}"


_OPTIONS = (*(replace(option, section="options") for option in (CACHE, CACHE_SIZE)), *WHOLE_STORE)

COMMAND = Group(
    "cache",
    _TEXT,
    (
        Command(
            "status",
            _status,
            _STATUS,
            help="show how much is kept",
            options=(Option("json", "print JSON", group="cache"), *_OPTIONS),
        ),
        Command(
            "clear",
            _clear,
            _CLEAR,
            help="remove what is kept",
            arguments=(Argument("packages", "NAME", "a package", many=True, optional=True),),
            options=(Option("all", "remove everything", group="cache"), *_OPTIONS),
        ),
    ),
)
