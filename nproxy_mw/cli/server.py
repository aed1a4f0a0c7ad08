"""gunicorn as ``nproxy-mw serve`` runs it."""

from __future__ import annotations

import os
import sys
from typing import Any

from nproxy_mw.audit.dirty import settle_all
from nproxy_mw.cli import beginning, gunicorn_conf
from nproxy_mw.cli.addresses import Bind
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.serving import Serving
from nproxy_mw.cli.terminal import say

try:
    from gunicorn.app.base import BaseApplication

    from nproxy_mw.cli.arbiter import TerminalArbiter
    from nproxy_mw.cli.server_log import ServerLog
except ImportError as error:
    raise UsageError("The server needs gunicorn: pip install 'nproxy_mw[server]'.") from error

_MEMORY = "/dev/shm"  # noqa: S108 - gunicorn makes a file of its own there, under a random name
"""Where workers show that they are alive: in memory, so that a full or read-only disk stops no start."""


class Server(BaseApplication):
    """The registry as a gunicorn application. Each worker builds its own: nothing is shared but the storage."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.answers_at_once = serving.answers_at_once
        super().__init__()

    def load_config(self) -> None:
        """gunicorn's own settings; called by its constructor."""
        options = self.serving.options
        settings = {
            **vars(gunicorn_conf),
            "bind": str(options.bind),
            "workers": options.workers,
            "threads": options.threads,
            "logger_class": ServerLog,
            "worker_tmp_dir": _MEMORY if os.access(_MEMORY, os.W_OK) else None,
            "proc_name": "nproxy-mw",
            "post_worker_init": self.begin,
            "worker_exit": lambda server, worker: settle_all(),
            "on_exit": lambda arbiter: say("Stopped.", sys.stderr),
        }
        for name in settings.keys() & self.cfg.settings.keys():
            self.cfg.set(name, settings[name])

    def load(self) -> Any:
        """The WSGI application; called in each worker."""
        return self.serving.application()

    def begin(self, worker: Any) -> None:
        """What a worker does when it is ready."""
        host, port = worker.sockets[0].sock.getsockname()[:2]
        beginning.begin(self.serving, Bind(host, port), worker.age)

    def run(self) -> None:
        """Serves until a signal ends it."""
        TerminalArbiter(self).run()
