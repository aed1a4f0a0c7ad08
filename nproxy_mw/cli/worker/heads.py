"""Heads: the heads of requests, of which most are headers that have come before under another path.

An installer sends the same headers with each of a thousand requests, and gunicorn's parser, which is written in Python,
takes longer for them than the registry takes for the answer. So what it made of a block of headers is remembered, and
only the request line is read anew, if it is one of the usual form. Everything else is gunicorn's.
"""

from __future__ import annotations

import re
from typing import Any

from nproxy_mw.cli.worker.request import ClientRequest

_LINE = re.compile(rb"(GET|HEAD) ((/(?!/)[!-\"$->@-~]*)(?:\?([!-\"$-~]*))?) HTTP/1\.1\r\n")
"""A request line whose target is a path and perhaps a query: visible ASCII without ``#``."""

_LONGEST_LINE = 2048  # bytes; gunicorn's own limit is 4094
_LONGEST_BLOCK = 2048
_MOST = 1024  # blocks that are remembered: two megabytes, and half as much again for what was made of them


class Heads:
    """Makes requests from their heads. Only the poller's thread calls it."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self._known: dict[tuple[object, bytes], ClientRequest] = {}

    def request(self, head: bytes, client: Any, number: int) -> ClientRequest:
        """Returns the request with that *head*, the *number*-th of its connection.

        Raises:
            ParseException: the head is not HTTP.
        """
        line = _LINE.match(head, 0, _LONGEST_LINE)
        if line is None or len(head) - line.end() > _LONGEST_BLOCK:
            return ClientRequest(self.cfg, head, client, number)
        # Whom a client's forwarded headers are believed from depends on its address.
        key = client[0] if isinstance(client, tuple) else None, head[line.end() :]
        known = self._known.get(key)
        if known is None:
            return self._learned(key, ClientRequest(self.cfg, head, client, number))
        method, target, path, query = (text.decode("ascii") if text else "" for text in line.groups())
        return known.again(method, target, path, query, client, number)

    def _learned(self, key: tuple[object, bytes], request: ClientRequest) -> ClientRequest:
        if request.is_plain:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = request
        return request
