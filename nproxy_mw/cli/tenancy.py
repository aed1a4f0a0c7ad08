"""How a server finds out whose registry a request is for: what ``serve --orgs`` says, checked and composed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import urlsplit

from nproxy_mw.cli.accounts import administrators_of, signed_in
from nproxy_mw.cli.greeting import place, program
from nproxy_mw.cli.options import ACTOR, UsageError
from nproxy_mw.cli.stores import open_store
from nproxy_mw.hosting import Platform
from nproxy_mw.middleware.tenants import ByHost, ByPath, FixedOrg, Resolve
from nproxy_mw.orgs.directory import OrganizationDirectory, is_slug
from nproxy_mw.orgs.organization import open_organization, seal_of_the_environment
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import locks_for
from nproxy_mw.storage.probe import probe


def parse_orgs(text: str, public_url: str | None = None) -> Resolve:
    """Parses ``fixed:NAME``, ``host:DOMAIN`` or ``path``.

    Raises:
        UsageError: it is none of them, or contradicts the public URL.
    """
    kind, colon, value = text.partition(":")
    if kind == "path" and not colon:
        return ByPath()
    if kind == "fixed" and is_slug(value):
        return FixedOrg(value)
    if kind != "host":
        raise UsageError(f"--orgs {text!r} is not fixed:NAME, host:DOMAIN or path.")
    try:
        resolve = ByHost(value)
    except ValueError as error:
        raise UsageError(f"--orgs {text!r}: {error}") from error
    if public_url is not None and (urlsplit(public_url).hostname != value or urlsplit(public_url).path):
        raise UsageError(
            f"With --orgs {text} clients reach the server at {value} and the hosts below it: give --public-url as "
            f"https://{value}, or leave it out."
        )
    return resolve


def prepare(url: str, resolve: Resolve, scopes: Sequence[str]) -> bool:
    """Tries the storage before anything is served, and makes the fixed organization. Whether that was new.

    Raises:
        UsageError: the storage will not do, or *scopes* are given and nobody can tell whose they are.
        StorageUnavailable: the storage cannot be written to just now.
    """
    if url.startswith("memory:"):
        raise UsageError(
            "A memory:// storage lives and ends with one process, so no other could make a token for it: name a "
            "folder, or an s3:// bucket."
        )
    storage = open_store(url)
    try:
        probe(storage)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not isinstance(resolve, FixedOrg):
        if scopes:
            raise UsageError(
                "--scope is for a server of one organization: with many, each has its own, set with "
                "'nproxy-mw settings set --org ID internalScopes=@scope'."
            )
        return False
    OrganizationDirectory(storage).ensure(resolve.org, actor=ACTOR)
    organization = open_organization(storage, locks_for(url), resolve.org, is_made=True, seal=seal_of_the_environment())
    organization.keys.check()
    organization.settings.ensure_scopes(scopes, actor=ACTOR)
    return organization.is_new()


def platform_at(
    url: str, resolve: Resolve, *, upstream: str | None, public_url: str | None, freshness: float = 1.0
) -> Platform:
    """The whole server on the storage at *url*, with administrators and login; *freshness*: see `open_storage`."""
    storage = open_storage(url, freshness=freshness)
    users = signed_in(storage)
    return Platform(
        storage,
        locks_for(url),
        resolve=resolve,
        upstream=upstream,
        public_url=public_url,
        users=users,
        administrators=users.administrators,
        seal=seal_of_the_environment(),
    )


def many_organizations(url: str, resolve: Resolve, storage: str, remark: str) -> str:
    """What the operator of a server for many organizations reads when it is ready."""
    place = f"http(s)://ID.{resolve.domain}/" if isinstance(resolve, ByHost) else f"{url}/ID/"
    lines = [f"nproxy-mw is ready at {url}/ (Ctrl-C stops it).", f"Each organization is at {place}", remark]
    found = [one.id for one in OrganizationDirectory(open_store(storage)).list()]
    if found:
        some = ", ".join(found[:10]) + (" and others" if len(found) > 10 else "")
        return "\n".join([*lines, f"There is {some}."])
    return "\n".join([*lines, f"There is none yet: {program()} org create acme {_option(storage)}"])


def first_administrator(url: str, storage: str) -> str:
    """How to make an administrator, when there is none."""
    if administrators_of(open_store(storage)).list():
        return ""
    return (
        f"\nNobody can sign in to {url}/api/v1 or use npm login yet. To make an administrator:\n\n"
        f"    {program()} admin create NAME {_option(storage)}\n"
    )


def _option(storage: str) -> str:
    return f"--storage {shlex.quote(place(storage))}"
