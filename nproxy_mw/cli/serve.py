"""``nproxy-mw serve``: the registry under gunicorn or granian."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nproxy_mw.cli import logs
from nproxy_mw.cli.addresses import check_port, check_upstream
from nproxy_mw.cli.allocator import give_back_memory
from nproxy_mw.cli.command import Command, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.stores import CONFIG, ORG, ORGS, SEAL_KEY, STORAGE, org_of
from nproxy_mw.cli.tenancy import check_domain
from nproxy_mw.cli.upstreams import BIND, OF_CACHE, OF_UPSTREAM, PUBLIC_URL, WHERE
from nproxy_mw.cli.values import decimal, one_of, scope, whole
from nproxy_mw.garbage import no_collection
from nproxy_mw.middleware.send_files import ACCEL, SENDFILE
from nproxy_mw.middleware.tenants import FixedOrg

if TYPE_CHECKING:
    from nproxy_mw.cli.serving import Serving

MAX_FRESHNESS = 5  # seconds: settings and revoked tokens must hold on every host within this
MAX_PROCESSES = 256
GUNICORN, GRANIAN = "gunicorn", "granian"

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

_PROXIES, _PROCESSES = "proxies before this server", "processes"

_REGISTRY = (
    BIND,
    Option("scope", "an npm scope whose packages are your own; repeat it for several", "@SCOPE", parse=scope,
           many=True, section=WHERE),
    PUBLIC_URL,
    Option("freshness", "how late this host may see what another did on S3, or a restored file; 0 asks each time",
           "SECONDS", parse=decimal(0, MAX_FRESHNESS), default="1", section=WHERE),
    Option("search-folder", "where this host keeps its search indexes", "DIR", parse=Path,
           otherwise="in the storage's folder; for S3 among the user's caches", section=WHERE),
)  # fmt: skip
_OF_PROXIES = (
    Option("trusted-proxies", "how many there are, whose X-Forwarded-For and -Proto are believed", "N",
           parse=whole(0, 16), default="0", section=_PROXIES),
    Option("trust-forwarded-host", "believe their X-Forwarded-Host, too", section=_PROXIES),
    Option("trust-forwarded-prefix", "believe their X-Forwarded-Prefix, too", section=_PROXIES),
    Option("send-files", "let the server in front send tarballs: x-accel-redirect (nginx) or x-sendfile", "HOW",
           parse=one_of(ACCEL, SENDFILE), section=_PROXIES),
)  # fmt: skip
_OF_PROCESSES = (
    Option("server", "gunicorn or granian", "NAME", parse=one_of(GUNICORN, GRANIAN), default=GUNICORN,
           section=_PROCESSES),
    Option("workers", "processes", "N", parse=whole(1, MAX_PROCESSES), default="2", section=_PROCESSES),
    Option("threads", "threads of each process", "N", parse=whole(1, MAX_PROCESSES), default="128", section=_PROCESSES),
)  # fmt: skip

OPTIONS = (
    CONFIG,
    STORAGE,
    ORG,
    ORGS,
    SEAL_KEY,
    *_REGISTRY,
    *OF_UPSTREAM,
    *OF_CACHE,
    *_OF_PROXIES,
    *_OF_PROCESSES,
    *logs.OPTIONS,
)
"""All that a configuration file can say."""


class _Server(Protocol):
    def run(self) -> None: ...


def _run(parsed: Parsed) -> int:
    give_back_memory()
    with no_collection():
        server = _prepared(parsed)
        gc.freeze()  # or the first look for garbage, here and in each worker, would visit and copy all that they share
    server.run()
    return 0


def _prepared(parsed: Parsed) -> _Server:
    # Imported here because the servers and argon2 are extras: the other commands do without them.
    from nproxy_mw.cli.serving import Serving, prepare

    server = _server(parsed.server)
    logs.configure(parsed.log_level, parsed.log_format, access=parsed.access_log)
    resolve = parsed.orgs or FixedOrg(org_of(parsed))
    check_domain(resolve, parsed.public_url)
    upstream = check_upstream(parsed.upstream, parsed.bind, parsed.public_url)
    check_port(parsed.bind)
    serving = Serving(parsed, resolve, upstream)
    prepare(serving)
    return server(serving)


def _server(name: str) -> Callable[[Serving], _Server]:
    """Returns what runs the registry under the server *name*.

    Raises:
        UsageError: it is not installed.
    """
    if name == GRANIAN:
        from nproxy_mw.cli.granian_server import GranianServer

        return GranianServer
    from nproxy_mw.cli.server import Server

    return Server


COMMAND = Command("serve", _run, _TEXT, options=OPTIONS)
