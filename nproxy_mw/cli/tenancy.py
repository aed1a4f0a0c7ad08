"""Whose registry a request is for, as ``serve --orgs`` says it."""

from __future__ import annotations

from urllib.parse import urlsplit

from nproxy_mw.cli.options import UsageError
from nproxy_mw.middleware.tenants import ByHost, ByPath, FixedOrg, Resolve
from nproxy_mw.orgs.directory import is_slug


def parse_orgs(text: str) -> Resolve:
    """Parses ``fixed:ID``, ``host:DOMAIN`` or ``path``.

    Raises:
        ValueError: *text* is none of them.
    """
    kind, colon, value = text.partition(":")
    if kind == "path" and not colon:
        return ByPath()
    if kind == "fixed" and is_slug(value):
        return FixedOrg(value)
    if kind != "host":
        raise ValueError("is not fixed:ID, host:DOMAIN or path")
    try:
        return ByHost(value)
    except ValueError as error:
        raise ValueError(f"is not host:DOMAIN. {str(error).rstrip('.')}") from error


def check_domain(resolve: Resolve, public_url: str | None) -> None:
    """Checks that a public URL is that of the domain below which organizations have their hosts.

    Raises:
        UsageError: it is another one, or has a path.
    """
    domain = resolve.management_domain
    if domain is not None and public_url is not None:
        url = urlsplit(public_url)
        if url.hostname != domain or url.path:
            raise UsageError(
                f"With --orgs host:{domain} clients reach the server at {domain} and the hosts below it: give "
                f"--public-url as https://{domain}, or leave it out."
            )
