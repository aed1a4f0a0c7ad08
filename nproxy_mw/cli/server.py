"""gunicorn, told what it needs to know; and what the operator reads in the terminal."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from nproxy_mw.cli import repair
from nproxy_mw.cli.addresses import Bind
from nproxy_mw.cli.greeting import greeting
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.tenancy import first_administrator, many_organizations, platform_at
from nproxy_mw.middleware.tenants import FixedOrg, Resolve
from nproxy_mw.orgs.organization import organization_at
from nproxy_mw.orgs.settings_fields import Settings

try:
    from gunicorn.app.base import BaseApplication

    from nproxy_mw.cli.worker import Worker
except ImportError as error:
    raise UsageError("The server needs gunicorn: pip install 'nproxy_mw[server]'.") from error

KEEP_ALIVE = 30  # seconds; longer than npm keeps an idle connection, so that it never writes to one just closed

GRACE = 10  # seconds that a request under way has to end in, after Ctrl-C or SIGTERM


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Everything that a worker needs to build the registry, and the operator to be greeted."""

    bind: Bind
    storage: str
    resolve: Resolve
    upstream: str | None
    public_url: str | None
    freshness: float  # seconds
    trusted_proxies: int
    workers: int
    threads: int
    is_new: bool
    remark: str

    @property
    def org(self) -> str:
        """The one organization that is served; empty when there may be many."""
        return self.resolve.org if isinstance(self.resolve, FixedOrg) else ""


def check_port(bind: Bind) -> None:
    """Tries the port once: gunicorn would try for seconds and say it in many lines.

    Raises:
        UsageError: it is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind.host, bind.port))
        except OSError as error:
            raise UsageError(f"Cannot listen on {bind}: {error.strerror}. Give another place with --bind.") from error


class Server(BaseApplication):
    """The registry as a gunicorn application. Each worker builds its own: nothing is shared but the storage."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """gunicorn's own settings; called by its constructor."""
        settings = {
            "bind": str(self.settings.bind),
            "workers": self.settings.workers,
            "threads": self.settings.threads,
            "worker_class": Worker,
            # gunicorn would believe what clients on this machine say of themselves, and of where they want to go.
            # Whom to believe is said by --trusted-proxies alone.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "keepalive": KEEP_ALIVE,
            "control_socket_disable": True,  # it would lie in HOME, which a service may not have
            "loglevel": "warning",
            "proc_name": "nproxy-mw",
            "graceful_timeout": GRACE,
            "post_worker_init": self.begin,
            "on_exit": self.part,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The WSGI application; called in each worker."""
        own = self.settings
        platform = platform_at(
            own.storage, own.resolve, upstream=own.upstream, public_url=own.public_url, freshness=own.freshness
        )
        hops = own.trusted_proxies
        return ProxyFix(platform, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops) if hops else platform

    def begin(self, worker: Any) -> None:
        """Greets, once the first worker is ready; and has that one, or one in the place of another, mend the store."""
        if worker.age == 1:
            self.greet(worker)
        if worker.age == 1 or worker.age > self.settings.workers:
            repair.begin(self.settings.storage)

    def greet(self, worker: Any) -> None:
        """Tells where the registry is and what to do next."""
        host, port = worker.sockets[0].sock.getsockname()[:2]
        url = self.settings.public_url or f"http://{Bind(_reachable(host), port)}"
        own = self.settings
        if own.org:
            print(greeting(url, own, organization_at(own.storage, own.org).settings.get().internal_scopes))
        else:
            print(many_organizations(url, own.resolve, own.storage, own.remark))
        for warning in Settings.warnings():
            print(warning)
        print(first_administrator(url, own.storage), end="", flush=True)

    def part(self, arbiter: Any) -> None:
        """Says that it is over."""
        print("Stopped.", file=sys.stderr, flush=True)


def _reachable(host: str) -> str:
    """An address that a client on this machine can use for one that means all of them."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
