"""The program's log: where it goes, what it looks like, and how much it says."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from nproxy_mw.cli.options import Option
from nproxy_mw.cli.values import one_of
from nproxy_mw.observability.logs import JsonFormatter, PlainFormatter

ACCESS = "nproxy_mw.access"
"""The logger that has a record for each request."""

PLAIN, JSON = "plain", "json"
LEVELS = ("debug", "info", "warning", "error")
_OURS = ("nproxy_mw", "gunicorn.error", "_granian")

OPTIONS = (
    Option(
        "log-level", "how much is logged to standard error: debug, info, warning or error", "LEVEL",
        parse=one_of(*LEVELS), default="warning", section="log",
    ),
    Option(
        "log-format", "plain or json", "FORMAT", parse=one_of(PLAIN, JSON), default=PLAIN, section="log",
    ),
    Option("access-log", "log a line for each request", section="log"),
)  # fmt: skip


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure(level: str = "warning", form: str = PLAIN, *, access: bool = False) -> None:
    """Sends the log to standard error. Called again, it replaces what it set up before, and nothing else.

    Other libraries log warnings only, whatever *level*: at lower levels some of them log headers and bodies.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(handler)
    handler = _Handler()
    handler.setFormatter(JsonFormatter() if form == JSON else PlainFormatter())
    root.addHandler(handler)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    logging.getLogger(ACCESS).setLevel(logging.INFO if access else logging.CRITICAL)
