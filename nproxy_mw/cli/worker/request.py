"""ClientRequest: a request as gunicorn's parser reads it and as RFC 9112 means it."""

from __future__ import annotations

import re
import socket
from typing import Any, cast

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders, NoMoreData
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from nproxy_mw.cli.worker.bodies import CONTINUE, DirectBody, RequestReader, SpooledBody
from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.budget import Budget

_END = b"\r\n\r\n"
_ABOUT_BODIES = frozenset({"CONTENT-LENGTH", "TRANSFER-ENCODING", "EXPECT"})
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://(?P<authority>[^/?#@]+)(?:[/?#].*)?", re.ASCII | re.IGNORECASE)


class ClientRequest(Request):
    """A request whose *head* is whole. Its body may still be on its way.

    Raises:
        ParseException: the head is not HTTP.
    """

    _expected_100_continue: bool

    def __init__(self, cfg: Any, head: bytes, client: Any, number: int) -> None:
        self.reader = RequestReader(head)
        self.missing = 0  # bytes of the body that the poller has yet to read
        super().__init__(cfg, cast("Unreader", self.reader), client, number)

    def again(self, method: str, uri: str, path: str, query: str, client: Any, number: int) -> ClientRequest:
        """Returns another request with the same headers and without a body, whose request line has these parts."""
        request = ClientRequest.__new__(ClientRequest)
        request.__dict__.update(self.__dict__)
        request.method, request.uri, request.path, request.query = method, uri, path, query
        request.peer_addr = request.remote_addr = client
        request.req_number, request.must_close = number, False
        request.reader = RequestReader(b"")
        request.unreader = cast("Unreader", request.reader)
        request.body = Body(LengthReader(request.unreader, 0))
        return request

    @property
    def is_plain(self) -> bool:
        """Whether the request is one line and headers that are only passed on: they say nothing of a body."""
        return _ABOUT_BODIES.isdisjoint(name for name, _ in self.headers)

    def parse(self, unreader: Any) -> bytes:
        """Reads the head; called by the constructor."""
        try:
            unused = super().parse(unreader)
        except NoMoreData as error:
            raise InvalidRequestLine("the head has no end") from error
        # gunicorn would say "100 Continue" before the application has seen the head.
        self.expects_continue, self._expected_100_continue = self._expected_100_continue, False
        if self.uri is not None and not self.uri.startswith(("/", "*")) and self.method != "CONNECT":
            self._take_host(self.uri)
        return unused

    def _take_host(self, uri: str) -> None:
        """Replaces Host by the authority of a whole URL, as RFC 9112 section 3.2.2 demands."""
        match = _ABSOLUTE.fullmatch(uri)
        if match is None:
            raise InvalidRequestLine(uri)
        others = [(name, value) for name, value in self.headers if name != "HOST"]
        self.headers = [*others, ("HOST", match["authority"])]

    @property
    def length(self) -> int | None:
        """The bytes of the body that the application has not read; None when the body is chunked."""
        return getattr(self._body_reader, "length", None)

    @property
    def is_unread(self) -> bool:
        """Whether part of the body may still come, so that nobody knows where the next request begins."""
        if not isinstance(self.reader.source, DirectBody):
            return False
        is_chunked_open = getattr(self._body_reader, "parser", None) is not None
        return bool(getattr(self.body, "failed", False) or self.length or is_chunked_open)

    @property
    def _body_reader(self) -> Any:
        return getattr(self.body, "reader", None)

    def should_close(self) -> bool:
        """Whether the response must be the last one on its connection."""
        return self.is_unread or super().should_close()

    def store(self, data: bytes, length: int, budget: Budget, small: int) -> None:
        """Begins to store a body of *length* bytes, of which *data* has come. Raises as `SpooledBody.write`."""
        self.reader.source = self._spooled = SpooledBody(budget, small)
        self.missing = length
        self.add(data)

    def add(self, data: bytes) -> None:
        """Stores a piece of the body. Raises as `SpooledBody.write`."""
        self._spooled.write(data)
        self.missing -= len(data)

    def read_from(self, stream: socket.socket, held: bytes, bounds: Bounds) -> None:
        """Lets the application read the body from the client."""
        self.reader.source = DirectBody(stream, bounds, held=held, expects_continue=self.expects_continue)

    def say_continue(self, stream: socket.socket) -> None:
        """Asks a client that waits for it to send the body."""
        if self.expects_continue:
            stream.send(CONTINUE)


def head_end(held: bytes, searched: int) -> int:
    """Returns where the head in *held* ends, or -1. Its first *searched* bytes have been looked at before."""
    at = held.find(_END, max(0, searched - len(_END) + 1))
    return at + len(_END) if at >= 0 else -1


def check_partial(held: bytes, limit: int) -> None:
    """Checks a head that has no end yet.

    Raises:
        ParseException: it is too large, or a line ends with a bare LF, so that the end would never come.
    """
    if len(held) > limit:
        raise LimitRequestHeaders("the head is too large")
    if held.count(b"\n") != held.count(b"\r\n"):
        raise InvalidRequestLine("bare LF as line terminator")
