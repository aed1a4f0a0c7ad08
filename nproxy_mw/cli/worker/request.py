"""ClientRequest: one request, as gunicorn's parser reads it and as RFC 9112 means it."""

from __future__ import annotations

import re
import socket
from typing import Any, cast

from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders, NoMoreData
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.budget import Budget
from nproxy_mw.cli.worker.incoming import CONTINUE, Direct, Incoming, Stored

_END = b"\r\n\r\n"
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://(?P<authority>[^/?#@]+)(?:[/?#].*)?", re.ASCII | re.IGNORECASE)


class ClientRequest(Request):
    """A request whose *head* is there and whose body may still be on its way.

    Raises:
        ParseException: the head is no HTTP.
    """

    _expected_100_continue: bool

    def __init__(self, cfg: Any, head: bytes, client: Any, number: int) -> None:
        self.incoming = Incoming(head)
        self.missing = 0  # bytes of the body that the poller has yet to read
        super().__init__(cfg, cast("Unreader", self.incoming), client, number)

    def parse(self, unreader: Any) -> bytes:
        """Reads the head; called by the constructor."""
        try:
            unused = super().parse(unreader)
        except NoMoreData as error:
            raise InvalidRequestLine("the head has no end") from error
        # gunicorn would answer it unasked, before the application has seen the head.
        self.expects_continue, self._expected_100_continue = self._expected_100_continue, False
        if self.uri is not None and not self.uri.startswith(("/", "*")) and self.method != "CONNECT":
            self._take_host(self.uri)
        return unused

    def _take_host(self, uri: str) -> None:
        """RFC 9112 section 3.2.2: a server that is asked for a whole URL must ignore Host and take the URL's."""
        match = _ABSOLUTE.fullmatch(uri)
        if match is None:
            raise InvalidRequestLine(uri)
        others = [(name, value) for name, value in self.headers if name != "HOST"]
        self.headers = [*others, ("HOST", match["authority"])]

    @property
    def length(self) -> int | None:
        """The bytes of the body that the application has not read; None when it is chunked."""
        reader: Any = self._reader
        return getattr(reader, "length", None)

    @property
    def is_unread(self) -> bool:
        """Whether a part of the body may still come, so that nobody knows where the next request begins."""
        if not isinstance(self.incoming.source, Direct):
            return False
        is_chunked_open = getattr(self._reader, "parser", None) is not None
        return bool(getattr(self.body, "failed", False) or self.length or is_chunked_open)

    @property
    def _reader(self) -> Any:
        return getattr(self.body, "reader", None)

    def should_close(self) -> bool:
        """Whether the answer must be the last one of its connection."""
        return self.is_unread or super().should_close()

    def store(self, come: bytes, length: int, budget: Budget, small: int) -> None:
        """Begins to store a body of *length* bytes, of which *come* is there. Raises as `Stored.write`."""
        self.incoming.source = self._stored = Stored(budget, small)
        self.missing = length
        self.add(come)

    def add(self, data: bytes) -> None:
        """Stores a piece of the body. Raises as `Stored.write`."""
        self._stored.write(data)
        self.missing -= len(data)

    def read_from(self, stream: socket.socket, held: bytes, bounds: Bounds) -> None:
        """Lets the application read the body from the client."""
        self.incoming.source = Direct(stream, bounds, held=held, expects=self.expects_continue)

    def say_continue(self, stream: socket.socket) -> None:
        """Asks a client that waits for it to send the body."""
        if self.expects_continue:
            stream.send(CONTINUE)


def head_end(held: bytes, searched: int) -> int:
    """Returns where the head in *held* ends, or -1; the first *searched* bytes were looked at before."""
    at = held.find(_END, max(0, searched - len(_END) + 1))
    return at + len(_END) if at >= 0 else -1


def check_partial(held: bytes, limit: int) -> None:
    """Looks at a head that has no end yet.

    Raises:
        ParseException: it is too large, or it will never end as HTTP wants it.
    """
    if len(held) > limit:
        raise LimitRequestHeaders("the head is too large")
    if held.count(b"\n") != held.count(b"\r\n"):
        raise InvalidRequestLine("bare LF as line terminator")
