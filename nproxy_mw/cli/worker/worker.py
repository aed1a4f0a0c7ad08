"""Worker: gunicorn's ThreadWorker, whose poller reads requests and sends answers."""

from __future__ import annotations

import errno
import signal
import socket
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import ThreadWorker

from nproxy_mw.cli.worker.bounds import Bounds, connections_allowed, raised_file_limit
from nproxy_mw.cli.worker.budget import Budget
from nproxy_mw.cli.worker.connection import Connection
from nproxy_mw.cli.worker.conversation import Conversation
from nproxy_mw.cli.worker.crowd import Crowd, network_of
from nproxy_mw.cli.worker.dispatch import Dispatch
from nproxy_mw.cli.worker.outlet import UNSENT, Outlet, limit_unsent
from nproxy_mw.cli.worker.poller import Poller
from nproxy_mw.cli.worker.refusals import refusal_of
from nproxy_mw.http.bodies import LINGER

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import FrameType

_SWEEP = 1.0  # seconds between two looks at all deadlines
_LOGGED = 10  # refused requests of which each is logged, between two sweeps
_LINGER_AT_END = 2.0  # seconds that a kept connection lives on in a worker that ends, as gunicorn has it
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Worker(ThreadWorker):
    """Serves the registry. `bounds` says what one client may take of it."""

    bounds = Bounds()

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.budget = Budget(self.bounds.memory, self.bounds.disk)
        self.keep_alive = float(self.cfg.keepalive)
        self.accept_at = self.notify_at = self.sweep_at = 0.0  # on time.monotonic's clock
        self.ready: list[socket.socket] = []  # listeners on which a connection waits
        self.quits = False
        self.refused = 0  # requests that no thread saw, since the last sweep

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuses, as a `RuntimeError`, what a proxy does better."""
        if cfg.is_ssl or cfg.proxy_protocol != "off" or cfg.protocol != "http" or "h2" in cfg.http_protocols:
            raise RuntimeError(
                "This worker speaks plain HTTP/1.1: leave TLS, HTTP/2, uWSGI and the PROXY protocol to a proxy."
            )

    def init_process(self) -> None:
        """Called in the new process; runs until it ends."""
        capacity = connections_allowed(self.worker_connections, raised_file_limit(self.worker_connections))
        self.worker_connections = capacity + 1  # gunicorn would stop accepting; the crowd makes room
        self.crowd = Crowd(capacity, max(1, int(capacity * self.bounds.per_address)))
        for listener in self.sockets:
            limit_unsent(listener, UNSENT)
        super().init_process()

    def run(self) -> None:
        """Composes the parts, and serves."""
        self.connections = Poller(self.poller, self.crowd, self.log)
        self.dispatch = Dispatch(self.connections, self.bounds, int(self.cfg.threads), self.enqueue_req)
        self.conversation = Conversation(
            self.connections,
            self.dispatch,
            self.bounds,
            self.budget,
            answer=self.answer,
            keep_alive=lambda: self.keep_alive if self.alive else _LINGER_AT_END,
        )
        super().run()

    @property
    def nr_conns(self) -> int:
        """How many connections there are; gunicorn counts them itself."""
        return len(self.crowd)

    @nr_conns.setter
    def nr_conns(self, number: int) -> None:
        """Does nothing."""

    def init_signals(self) -> None:
        """SIGHUP, which reaches all processes of a terminal that is closed, is for the main process."""
        super().init_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Ends after this turn of the poller. gunicorn would end at once, also in the middle of giving a request to a
        thread, and wait for ever then: for a lock that it holds itself, or for a thread that nobody tells to end.
        """
        if not self.booted:
            super().handle_quit(sig, frame)
        self.quits = True
        self.method_queue.defer(lambda: None)  # wakes the poller

    def load_wsgi(self) -> None:
        """Offers the application to take what a client still sends when it is answered."""
        super().load_wsgi()
        app: Any = self.wsgi

        def lingering(environ: Any, start_response: Any) -> Any:
            environ[LINGER] = environ["gunicorn.socket"].linger
            return app(environ, start_response)

        self.wsgi = lingering

    # Connections come

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Accepts no connection while all threads are held, or after the system had no room for one."""
        may_accept = self.dispatch.may_accept() and time.monotonic() >= self.accept_at
        super().set_accept_enabled(bool(enabled) and may_accept)

    def accept(self, listener: socket.socket) -> None:
        """Notes that a connection may be taken; called by the poller."""
        self.ready.append(listener)

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        """Ends if that was asked for; and takes connections last: requests before them may hold all threads."""
        super().wait_for_and_dispatch_events(timeout)
        if self.quits:
            super().handle_quit(signal.SIGQUIT, None)
        while self.ready:
            self.take(self.ready.pop())

    def take(self, listener: socket.socket) -> None:
        """Takes a connection, unless all threads are held or the system has no room for it."""
        if not self.dispatch.may_accept():
            self.set_accept_enabled(False)
            return
        try:
            stream, client = listener.accept()
        except OSError as error:
            # Linux also tells of errors that the new connection had: accept(2) says to go on as after EAGAIN.
            if error.errno in _NO_ROOM:
                self.pause(error)
            return
        self.dispatch.accepted()
        address = network_of(client)
        for other in self.crowd.in_the_way(address):
            self.connections.drop(other)
        if self.crowd.is_full_for(address):
            stream.close()
            return
        outlet = Outlet(stream, self.budget)
        connection = Connection(self.cfg, stream, client, listener.getsockname(), bounds=self.bounds, outlet=outlet)
        connection.address = address
        self.connections.add(connection, self.conversation.read, time.monotonic() + self.bounds.head_seconds)

    def pause(self, error: OSError) -> None:
        """Makes room and accepts nothing for a moment: a listener that stays ready would be asked at once again."""
        self.log.warning("no connection can be accepted just now: %s", error.strerror)
        for other in self.crowd.nearest_to_deadline(list(self.crowd)):
            self.connections.drop(other)
        self.accept_at = time.monotonic() + self.bounds.accept_pause
        self.set_accept_enabled(False)

    # Threads are done

    def finish_request(self, conn: Any, fs: Future[bool]) -> None:
        """Takes a connection back from its thread; called by the poller."""
        conn.deadline = 0.0
        conn.keeps = not fs.cancelled() and fs.exception() is None and bool(fs.result())
        self.dispatch.finished(conn)
        self.connections.attempt(self.conversation.send_rest, conn)

    def answer(self, connection: Connection, error: Exception) -> None:
        """Writes the answer for what no thread gets to see."""
        self.handle_error(connection.request, connection.outlet, connection.client, error)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answers what could not be read or done, in the registry's own form, unless an answer was begun."""
        refusal = refusal_of(exc)
        request_id = uuid.uuid4().hex
        self.refused += 1
        if refusal.is_bug:
            self.log.error("request %s failed in the server", request_id, exc_info=exc)
        elif self.refused <= _LOGGED:
            self.log.warning("what %s sent was answered %s", addr[0] if addr else "a client", refusal.status)
        if not client.has_begun:
            client.sendall(refusal.answer(request_id))

    # Time passes

    def notify(self) -> None:
        """Tells the main process that this one is alive; gunicorn would do so after each event."""
        if time.monotonic() >= self.notify_at:
            self.notify_at = time.monotonic() + _SWEEP
            super().notify()

    def murder_pending(self) -> None:
        """Ends what took too long; gunicorn calls it after each turn of the poller."""
        now = time.monotonic()
        for connection, request in self.dispatch.waited_too_long(now):
            self.connections.attempt(partial(self.conversation.wait_no_longer, request=request), connection)
        if now >= self.sweep_at:
            self.sweep_at = now + _SWEEP
            self.look_around()
            for connection in self.crowd.late(now):
                self.connections.attempt(self.conversation.give_up, connection)

    def look_around(self) -> None:
        """Asks clients for a better pace while there are many, and says in the log what was not said."""
        is_crowded = self.budget.is_half_full or self.crowd.is_half_full
        self.conversation.pace = self.bounds.brisk if is_crowded else self.bounds.slowest
        if self.refused > _LOGGED:
            self.log.warning("%d more requests were refused", self.refused - _LOGGED)
        self.refused = 0

    def murder_keepalived(self, force: bool = False) -> None:
        """Ends all connections when the worker ends."""
        if force:
            for connection in self.crowd:
                self.connections.drop(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """Gives connections without a request no more time than to *deadline*: the worker ends."""
        for connection in self.crowd:
            if connection.request is None:
                connection.deadline = min(connection.deadline, deadline)
