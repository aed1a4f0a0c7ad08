"""granian as ``nproxy-mw serve --server granian`` runs it: HTTP in Rust, the registry in threads of Python."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

from nproxy_mw.audit.dirty import settle_all
from nproxy_mw.cli import beginning
from nproxy_mw.cli.access_log import AccessLog
from nproxy_mw.cli.addresses import Bind
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.serving import Serving
from nproxy_mw.cli.terminal import announce_stop, has_terminal, say

try:
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels
    from granian.net import SocketHolder  # type: ignore[attr-defined]
    from granian.server import MPServer
except ImportError as error:
    raise UsageError("This server needs granian: pip install 'nproxy_mw[granian]'.") from error

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

GRACE = 10  # seconds that requests have to finish in, after SIGTERM
_BACKLOG = 1024

# Records go up to the program's handler, instead of to handlers of granian's own.
_LOGGING = {"incremental": True, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}


class GranianServer(MPServer):
    """The registry under granian. Each worker builds its own: nothing is shared but the storage and one socket.

    By itself, each of granian's workers listens on a socket of its own, and what waits there is lost when the worker
    ends. Here they share one: a reload drops no connection.
    """

    def __init__(self, serving: Serving) -> None:
        options = serving.options
        self.serving = serving
        self.had_terminal = has_terminal()
        self._listener = _listen(options.bind)
        self._ages = count(1)
        super().__init__(
            "nproxy_mw",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=options.workers,
            blocking_threads=options.threads,
            backlog=_BACKLOG,
            respawn_failed_workers=True,
            respawn_interval=0.5,
            workers_kill_timeout=GRACE,
            log_level=LogLevels(options.log_level),
            log_dictconfig=_LOGGING,
        )

    def run(self) -> None:
        """Serves until a signal ends it."""
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as nohup wants it; granian would reload
            self.on_startup(lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.on_shutdown(lambda: say("Stopped.", sys.stderr))
        # Workers inherit what cannot be pickled: the options' parsers, and the socket.
        multiprocessing.set_start_method("fork", force=True)
        # Past MPServer's own `serve`, which only warns of many threads: ours mostly wait for the upstream.
        super(MPServer, self).serve(target_loader=self._load, wrap_loader=False)

    def signal_handler_interrupt(self, *_: object) -> None:
        """Stops, as Ctrl-C or a service manager asks."""
        announce_stop(GRACE)
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def signal_handler_reload(self, *_: object) -> None:
        """Stops when the terminal is gone that the server was started in, else reloads."""
        if self.had_terminal and not has_terminal():
            self.signal_handler_interrupt()
        else:
            super().signal_handler_reload()  # type: ignore[no-untyped-call]

    def _init_shared_socket(self) -> None:
        self._sso = self._listener
        self._shd = SocketHolder(self._listener.fileno(), False, _BACKLOG)  # type: ignore[assignment, call-arg]

    def _write_pidfile(self) -> None:
        """Past MPServer's own: it looks at all processes of the machine, for a bound on memory that we do not set."""
        super(MPServer, self)._write_pidfile()  # type: ignore[no-untyped-call]

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Callable[..., Any], *_: Any) -> Any:
        return super()._spawn_worker(idx, target, partial(callback_loader, next(self._ages)))

    def _load(self, age: int) -> WSGIApplication:
        """The WSGI application; called in each worker, the first of which has the *age* 1."""
        Finalize(None, settle_all, exitpriority=0)  # a worker of multiprocessing runs no functions of atexit
        application = self.serving.application()
        host, port = self._listener.getsockname()[:2]
        beginning.begin(self.serving, Bind(host, port), age)
        return AccessLog(application) if self.serving.options.access_log else application


def _listen(bind: Bind) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    listener = socket.create_server((bind.host, bind.port), family=family, backlog=_BACKLOG)
    listener.set_inheritable(True)
    return listener
