"""What the commands share that are about a whole store, and not about one organization."""

from __future__ import annotations

import argparse

from nproxy_mw.cli.options import UsageError, add_option, add_storage_option
from nproxy_mw.orgs.directory import is_slug
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.port import Storage


def add_upkeep_options(parser: argparse.ArgumentParser) -> None:
    """Adds --storage, and --org for one organization of all."""
    add_storage_option(parser)
    add_option(parser, "--org", metavar="ID", help="one organization only (default: all of them)")


def organizations_asked_for(parsed: argparse.Namespace) -> list[str]:
    """The organization that --org names; none when all are meant.

    Raises:
        UsageError: it cannot be one.
    """
    if parsed.org and not is_slug(parsed.org):
        raise UsageError(f"--org {parsed.org!r} is not an organization's id, like acme.")
    return [parsed.org] if parsed.org else []


def open_store(url: str) -> Storage:
    """The whole storage at *url*, read strictly.

    Raises:
        UsageError: there is no such kind of storage.
    """
    try:
        return open_storage(url, freshness=0)
    except ValueError as error:
        raise UsageError(str(error)) from error


def existing_store(url: str) -> Storage:
    """The whole storage at *url*, in which something is stored already.

    Raises:
        UsageError: nothing is: a mistyped name must not look like a sound store.
    """
    storage = open_store(url)
    if next(iter(storage.list()), None) is None:
        raise UsageError(f"There is no store in {url}: give the one that the server uses with --storage.")
    return storage
