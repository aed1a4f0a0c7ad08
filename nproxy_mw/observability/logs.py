"""Log records as lines, in plain text or JSON: with the id of their request, without secrets and control characters.

The library logs to loggers below ``nproxy_mw`` and configures nothing. The program does it by `nproxy_mw.cli.logs`; a
host application gives its own handler one of these formatters, or `RequestIds` as a filter and a formatter of its own.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from typing import Any

import orjson

from nproxy_mw.times import from_unix, timestamp
from nproxy_mw.token_format import redact

REQUEST: ContextVar[str] = ContextVar("nproxy_mw_request", default="")
"""The id of the request that this thread works on, for its log records.

ErrorResponses sets it. It is reset with the answer, or, while an answer is streamed, at the next request of the thread.
"""

# Tokens of npm's own registry; user and password in a URL; the value of an Authorization header.
_SECRETS = re.compile(r"(\bnpm_)[A-Za-z0-9]{8,}|(?<=://)()[^/\s@]{1,1024}(?=@)|(\b(?:Bearer|Basic)\s)[^\s'\",;]+")
# Where a path has a secret as one of its segments: npm's log out and token list, and a login that waits.
_SECRET_PATHS = re.compile(r"(/-/(?:user/token|npm/v1/tokens/token|v1/login/(?:done|page))/)[^?\s]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_IN_TRACEBACKS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def redacted(text: str) -> str:
    """Returns *text* with everything that looks like a secret, ours or another's, replaced by ``[redacted]``."""
    text = _SECRETS.sub(lambda match: f"{match[match.lastindex or 0]}[redacted]", redact(text))
    return _SECRET_PATHS.sub(r"\1[redacted]", text)


class RequestIds(logging.Filter):
    """Gives each record the attribute ``request_id``; it is empty outside a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns True, having marked *record*."""
        record.request_id = REQUEST.get()
        return True


class PlainFormatter(logging.Formatter):
    """``<time> <LEVEL> <logger> [<request id>] <message>``, and a traceback on the lines below."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the lines of *record*."""
        request = REQUEST.get()
        parts = (_time(record), record.levelname, record.name, f"[{request}]" if request else "", _message(record))
        return "\n".join(filter(None, (" ".join(filter(None, parts)), _traceback(self, record))))


class JsonFormatter(logging.Formatter):
    """One JSON object per record: ``time``, ``level``, ``logger``, ``message``, and ``requestId`` within a request.

    ``traceback`` is there when the record has one. Further members are those of the record's attribute ``fields``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of *record*."""
        document: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if request := REQUEST.get():
            document["requestId"] = request
        if traceback := _traceback(self, record):
            document["traceback"] = traceback
        fields = getattr(record, "fields", {})
        document |= {name: _plain(value) if isinstance(value, str) else value for name, value in fields.items()}
        return orjson.dumps(document, default=str).decode()


def _time(record: logging.LogRecord) -> str:
    return timestamp(from_unix(record.created))


def _message(record: logging.LogRecord) -> str:
    return _plain(record.getMessage())


def _plain(text: str) -> str:
    return redacted(_CONTROLS.sub("?", _encodable(text)))


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return redacted(_IN_TRACEBACKS.sub("?", _encodable(formatter.formatException(record.exc_info))))


def _encodable(text: str) -> str:
    """Returns *text* without lone surrogates, which undecodable bytes of a path leave."""
    return text.encode("utf-8", "backslashreplace").decode()
