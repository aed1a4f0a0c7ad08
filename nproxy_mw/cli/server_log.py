"""gunicorn's log as a part of the program's: the same handler, the same format, and one line for each request."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from nproxy_mw.cli.access_log import is_logged, log_request


class ServerLog(Logger):
    """What gunicorn logs with. The level is that of the program's own loggers."""

    def setup(self, cfg: Any) -> None:
        """Lets records go up to the program's handler, instead of giving them handlers of their own."""
        self.cfg = cfg
        self.error_log.propagate = True

    def access(self, resp: Any, req: Any, environ: MutableMapping[str, Any], request_time: timedelta) -> None:
        """Logs one request that was answered. The query is left out, because some clients put secrets there."""
        if is_logged():
            path = environ.get("RAW_URI", "").partition("?")[0]
            log_request(environ, path, resp.status, resp.headers, resp.sent or 0, request_time.total_seconds())
