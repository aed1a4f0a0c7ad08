"""``nproxy-mw serve``: the registry under gunicorn."""

from __future__ import annotations

from pathlib import Path

from nproxy_mw.cli import logs
from nproxy_mw.cli.addresses import (
    check_upstream,
    parse_allowed_origin,
    parse_bind,
    parse_proxy,
    parse_public_url,
    parse_upstream_url,
)
from nproxy_mw.cli.command import Command, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.stores import CONFIG, ORG, ORGS, SEAL_KEY, STORAGE, org_of
from nproxy_mw.cli.tenancy import check_domain
from nproxy_mw.cli.values import decimal, scope, size, whole
from nproxy_mw.middleware.tenants import FixedOrg

MAX_FRESHNESS = 5  # seconds: settings and revoked tokens must hold on every host within this
MAX_PROCESSES = 256

_TEXT = """\
Serves the registry until Ctrl-C.

  nproxy-mw serve --scope @acme                          @acme/* from ./nproxy-data, everything else from the
                                                         registry that your npm is configured with
  nproxy-mw serve --scope @acme --upstream none          internal packages only
  nproxy-mw serve --orgs path                            many organizations, each at /ITS-ID/
  nproxy-mw serve --scope @acme --storage /srv/npm --bind 0.0.0.0:4874 --public-url https://npm.acme.example --workers 4
  nproxy-mw serve --config /etc/nproxy.toml

Each option is a flag, a variable and a key of the configuration file. The flag wins over the variable, the variable
over the file, the file over the default. The file is TOML; its keys are the flags without their dashes:

  storage = "/srv/npm"
  scope = ["@acme", "@acme-labs"]
  public-url = "https://npm.acme.example"
  trusted-proxies = 1
  access-log = true
"""

_WHERE, _UPSTREAM, _PROXIES, _PROCESSES = "the registry", "the upstream", "proxies before this server", "processes"
_CACHE = "what is kept of the upstream, and known about it"

_REGISTRY = (
    Option("bind", "where to listen; :PORT listens on every address", "HOST:PORT", parse=parse_bind,
           default="127.0.0.1:4874", section=_WHERE),
    Option("scope", "an npm scope whose packages are your own; repeat it for several", "@SCOPE", parse=scope,
           many=True, section=_WHERE),
    Option("public-url", "where clients reach this server", "URL", parse=parse_public_url, quoted=False,
           otherwise="what each request says", section=_WHERE),
    Option("freshness", "how late this process may see what another did on S3; 0 asks each time", "SECONDS",
           parse=decimal(0, MAX_FRESHNESS), default="1", section=_WHERE),
    Option("search-folder", "where this host keeps its search indexes", "DIR", parse=Path,
           otherwise="in the storage's folder; for S3 among the user's caches", section=_WHERE),
)  # fmt: skip
_OF_UPSTREAM = (
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
_OF_CACHE = (
    Option("cache", "where what the upstream said is kept: a folder or a URL, or none", "URL", quoted=False,
           otherwise="a folder next to the storage", section=_CACHE),
    Option("cache-size", "bytes that the cache may have on this disk, like 20G", "SIZE", parse=size, default="20G",
           section=_CACHE),
    Option("offline", "ask nothing of the upstream: serve what is kept", section=_CACHE),
    Option("osv", "the database of advisories that 'nproxy-mw osv update' writes", "FILE", section=_CACHE),
    Option("blocklist", "a file of names and versions that count as malware; repeat it for several", "FILE", many=True,
           section=_CACHE),
)  # fmt: skip
_OF_PROXIES = (
    Option("trusted-proxies", "how many there are, whose X-Forwarded-For and -Proto are believed", "N",
           parse=whole(0, 16), default="0", section=_PROXIES),
    Option("trust-forwarded-host", "believe their X-Forwarded-Host, too", section=_PROXIES),
    Option("trust-forwarded-prefix", "believe their X-Forwarded-Prefix, too", section=_PROXIES),
)  # fmt: skip
_OF_PROCESSES = (
    Option("workers", "processes", "N", parse=whole(1, MAX_PROCESSES), default="2", section=_PROCESSES),
    Option("threads", "threads of each process", "N", parse=whole(1, MAX_PROCESSES), default="8", section=_PROCESSES),
)  # fmt: skip

OPTIONS = (
    CONFIG,
    STORAGE,
    ORG,
    ORGS,
    SEAL_KEY,
    *_REGISTRY,
    *_OF_UPSTREAM,
    *_OF_CACHE,
    *_OF_PROXIES,
    *_OF_PROCESSES,
    *logs.OPTIONS,
)
"""All that a configuration file can say."""


def _run(parsed: Parsed) -> int:
    # Imported here because gunicorn and argon2 are an extra: the other commands do without them.
    from nproxy_mw.cli.server import Server, check_port
    from nproxy_mw.cli.serving import Serving, prepare

    logs.configure(parsed.log_level, parsed.log_format, access=parsed.access_log)
    resolve = parsed.orgs or FixedOrg(org_of(parsed))
    check_domain(resolve, parsed.public_url)
    upstream = check_upstream(parsed.upstream, parsed.bind, parsed.public_url)
    check_port(parsed.bind)
    serving = Serving(parsed, resolve, upstream)
    prepare(serving)
    Server(serving).run()
    return 0


COMMAND = Command("serve", "run the registry", _run, _TEXT, options=OPTIONS)
