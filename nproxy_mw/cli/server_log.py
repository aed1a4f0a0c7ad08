"""gunicorn's log as a part of the program's: the same handler, the same format, and one line for each request."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from nproxy_mw.cli.logs import ACCESS
from nproxy_mw.observability.logs import REQUEST

_access = logging.getLogger(ACCESS)


class ServerLog(Logger):
    """What gunicorn logs with. The level is that of the program's own loggers."""

    def setup(self, cfg: Any) -> None:
        """Lets records go up to the program's handler, instead of giving them handlers of their own."""
        self.cfg = cfg
        self.error_log.propagate = True

    def access(self, resp: Any, req: Any, environ: MutableMapping[str, Any], request_time: timedelta) -> None:
        """Logs one request that was answered. The query is left out, because some clients put secrets there."""
        if not _access.isEnabledFor(logging.INFO):
            return
        fields = {
            "method": environ.get("REQUEST_METHOD", ""),
            "path": environ.get("RAW_URI", "").partition("?")[0],
            "status": int(str(resp.status).split(None, 1)[0]),
            "bytes": resp.sent or 0,
            "milliseconds": round(request_time.total_seconds() * 1000, 1),
            "ip": environ.get("REMOTE_ADDR", ""),
            "userAgent": environ.get("HTTP_USER_AGENT", ""),
        }
        headers = {name.lower(): value for name, value in resp.headers}
        token = REQUEST.set(headers.get("x-request-id", ""))
        _access.info(
            '%(ip)s "%(method)s %(path)s" %(status)s %(bytes)s bytes %(milliseconds)s ms "%(userAgent)s"',
            fields,
            extra={"fields": fields},
        )
        REQUEST.reset(token)
