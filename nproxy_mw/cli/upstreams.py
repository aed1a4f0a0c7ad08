"""The options that say what the upstream is, what is kept of it and known about it; and the way there."""

from __future__ import annotations

from pathlib import Path
from urllib.request import getproxies_environment

from nproxy_mw.cli.addresses import (
    check_upstream,
    parse_allowed_origin,
    parse_bind,
    parse_osv_api,
    parse_proxy,
    parse_public_url,
    parse_upstream_url,
)
from nproxy_mw.cli.command import Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.stores import ONE_ORG
from nproxy_mw.cli.values import size
from nproxy_mw.copies import replace
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.firewall.gateway import Gateway
from nproxy_mw.intelligence.combined import combined
from nproxy_mw.intelligence.lists import ListFile
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.port import Intelligence
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.stack import gateway_to, known_by
from nproxy_mw.upstream.cache import default_cache
from nproxy_mw.upstream.transport import Urllib3Transport

WHERE = "the registry"
_UPSTREAM, _CACHE = "the upstream", "what is kept of the upstream, and known about it"

BIND = Option(
    "bind", "where to listen; :PORT listens on every address", "HOST:PORT", parse=parse_bind, default="127.0.0.1:4874",
    section=WHERE,
)  # fmt: skip
PUBLIC_URL = Option(
    "public-url", "where clients reach this server", "URL", parse=parse_public_url, quoted=False,
    otherwise="what each request says", section=WHERE,
)  # fmt: skip
OSV = Option("osv", "the database of advisories that 'nproxy-mw osv update' writes", "FILE", section=_CACHE)
OF_UPSTREAM = (
    Option("upstream", "the registry for everything else, or none", "URL", parse=parse_upstream_url, quoted=False,
           otherwise="what npm config get registry says", section=_UPSTREAM),
    Option("upstream-token", "is sent to the upstream as a Bearer token, with reads", "TOKEN", secret=True),
    Option("allowed-origin", "another place of the upstream's tarballs, like https://cdn.example; repeat it for "
           "several", "ORIGIN", parse=parse_allowed_origin, many=True, quoted=False, section=_UPSTREAM),
    Option("upstream-proxy", "the proxy on the way to the upstream", "URL", parse=parse_proxy, quoted=False,
           otherwise="as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say", section=_UPSTREAM),
    Option("upstream-ca", "certificate authorities for the upstream, in PEM, besides those of the system", "FILE",
           section=_UPSTREAM),
)  # fmt: skip
CACHE = Option(
    "cache", "where what the upstream said is kept: a folder or a URL, or none", "URL", quoted=False,
    otherwise="a folder next to the storage", section=_CACHE,
)  # fmt: skip
CACHE_SIZE = Option(
    "cache-size", "bytes that the cache may have on this disk, like 20G", "SIZE", parse=size, default="20G",
    section=_CACHE,
)  # fmt: skip
OF_CACHE = (
    CACHE,
    CACHE_SIZE,
    Option("offline", "ask nothing of the upstream: serve what is kept", section=_CACHE),
    OSV,
    Option("osv-api", "an OSV API that is asked about public packages, by their names", "URL", parse=parse_osv_api,
           quoted=False, section=_CACHE),
    Option("blocklist", "a file of names and versions that count as malware; repeat it for several", "FILE", many=True,
           section=_CACHE),
)  # fmt: skip

OF_RULES = (*ONE_ORG, *OF_UPSTREAM, *OF_CACHE, replace(BIND, inherited=True), replace(PUBLIC_URL, inherited=True))
"""What a command has that lays an organization's rules over the upstream."""


def transport_to(options: Parsed, url: str) -> Urllib3Transport:
    """Returns the way to the upstream at *url*.

    Raises:
        UsageError: the URL has a password and there is a token, too; or the file of certificate authorities cannot be
            read.
    """
    try:
        return Urllib3Transport(
            url,
            token=options.upstream_token,
            allowed_origins=options.allowed_origin,
            ca_file=options.upstream_ca,
            proxies=_proxies(options.upstream_proxy),
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"--upstream-ca: {options.upstream_ca} cannot be read: {error.strerror}.") from error


def gateway_of(options: Parsed, url: str, catalog: Catalog, *, waiting: int) -> Gateway:
    """Returns the way to the upstream at *url* with what is kept of it, and what is known. Raises as `transport_to`.

    At most *waiting* requests wait for it at a time.
    """
    return gateway_to(
        transport_to(options, url),
        cache_of(options),
        intelligence=intelligence_of(options),
        catalog=catalog,
        waiting=waiting,
        offline=options.offline,
        bound=options.cache_size,
    )


def cache_of(options: Parsed) -> str | None:
    """Returns where what the upstream said is kept; None for nowhere."""
    return None if options.cache == "none" else str(options.cache or default_cache(options.storage))


def intelligence_of(options: Parsed) -> Intelligence | None:
    """Returns what is known beyond packuments: of lists, the OSV database and the OSV API; None for nothing."""
    sources: list[Intelligence] = [ListFile(Path(path)) for path in options.blocklist]
    if options.osv is not None:
        sources.append(OsvDatabase(Path(options.osv)))
    return known_by(combined(*sources), options.osv_api)


def firewall_of(parsed: Parsed, organization: Organization) -> Firewall:
    """Returns the rules of *organization* over the upstream, for questions: no decision is stored, no event written.

    Raises:
        UsageError: there is no upstream; and as `transport_to`.
    """
    chosen = check_upstream(parsed.upstream, parsed.bind, parsed.public_url)
    if chosen.url is None:
        raise UsageError("There is no upstream to ask about: give the server's with --upstream URL.")
    catalog = organization.settings.catalog
    gateway = gateway_of(parsed, chosen.url, catalog, waiting=1)
    policies = gateway.policies(organization, parsed.public_url)
    return Firewall(gateway.source, policies, observations=gateway.observations)


def _proxies(url: str | None) -> dict[str, str] | None:
    """Returns the proxy at *url* for every scheme, with the exceptions of ``NO_PROXY``; None for the environment's."""
    return None if url is None else {**getproxies_environment(), "http": url, "https": url}
