"""Worker: gunicorn's ThreadWorker, whose poller reads requests and sends responses."""

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
from nproxy_mw.cli.worker.callbacks import Callbacks
from nproxy_mw.cli.worker.connection import Connection
from nproxy_mw.cli.worker.connections import Connections, network_of
from nproxy_mw.cli.worker.conversation import Conversation, never
from nproxy_mw.cli.worker.dispatcher import Dispatcher
from nproxy_mw.cli.worker.heads import Heads
from nproxy_mw.cli.worker.output import UNSENT, OutputBuffer, limit_unsent
from nproxy_mw.cli.worker.poller import Poller
from nproxy_mw.cli.worker.refusals import refusal_for
from nproxy_mw.http.at_once import AT_ONCE, NotAtOnce
from nproxy_mw.http.bodies import LINGER

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import FrameType

_SWEEP = 1.0  # seconds between two looks at all deadlines
_LOGGED = 10  # refused requests that are logged one by one, between two sweeps
_LINGER_AT_END = 2.0  # seconds that a kept connection lives on in a worker that ends, as gunicorn has it
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Worker(ThreadWorker):
    """Serves a WSGI application. `bounds` says how much of the worker one client can use."""

    bounds = Bounds()
    _accepting: bool  # gunicorn's

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.method_queue = Callbacks()
        self.budget = Budget(self.bounds.memory, self.bounds.disk)
        self.keep_alive = float(self.cfg.keepalive)
        self.accept_at = self.notify_at = self.sweep_at = 0.0  # by time.monotonic
        self.ready: list[socket.socket] = []  # listeners that have a connection
        self.heads = Heads(self.cfg)
        self.quits = False
        self.refused = 0  # requests since the last sweep that no thread got

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Raises `RuntimeError`, which gunicorn prints, for a setting that this worker does not support."""
        if cfg.is_ssl or cfg.proxy_protocol != "off" or cfg.protocol != "http" or "h2" in cfg.http_protocols:
            raise RuntimeError(
                "This worker speaks plain HTTP/1.1: leave TLS, HTTP/2, uWSGI and the PROXY protocol to a proxy."
            )

    def init_process(self) -> None:
        """Runs the worker; called in its new process."""
        capacity = connections_allowed(self.worker_connections, raised_file_limit(self.worker_connections))
        self.worker_connections = capacity + 1  # gunicorn would stop accepting there; `take` makes room instead
        self.connections = Connections(capacity, max(1, int(capacity * self.bounds.per_address)))
        for listener in self.sockets:
            limit_unsent(listener, UNSENT)
        super().init_process()

    def run(self) -> None:
        """Composes the parts and serves."""
        self.polling = Poller(self.poller, self.connections, self.log)
        self.dispatcher = Dispatcher(self.polling, self.bounds, int(self.cfg.threads), self.enqueue_req)
        self.conversation = Conversation(
            self.polling,
            self.dispatcher,
            self.bounds,
            self.budget,
            write_refusal=self.write_refusal,
            keep_alive=lambda: self.keep_alive if self.alive else _LINGER_AT_END,
            answer=self.answer_at_once if getattr(self.app, "answers_at_once", False) else never,
        )
        super().run()

    @property
    def nr_conns(self) -> int:
        """The number of connections, which gunicorn would count itself."""
        return len(self.connections)

    @nr_conns.setter
    def nr_conns(self, number: int) -> None:
        """Does nothing."""

    def init_signals(self) -> None:
        """Leaves SIGHUP, which a closing terminal sends to all its processes, to the main process."""
        super().init_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Ends the worker after this turn of the poller.

        gunicorn ends it in the signal handler. When the signal arrives while a request is given to a thread, it waits
        forever: for a lock that it holds itself, or for a thread that is never told to end.
        """
        if not self.booted:
            super().handle_quit(sig, frame)
        self.quits = True
        self.method_queue.defer(lambda: None)  # wakes the poller

    def load_wsgi(self) -> None:
        """Offers the application `LINGER`, and says `AT_ONCE` where the poller itself asks it."""
        super().load_wsgi()
        app: Any = self.wsgi

        def lingering(environ: Any, start_response: Any) -> Any:
            output = environ["gunicorn.socket"]
            environ[LINGER] = output.linger
            if output.is_polled:
                environ[AT_ONCE] = True
            return app(environ, start_response)

        self.wsgi = lingering

    # Connections come

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Accepts no connections while all threads are held, or after the system ran out of room."""
        may_accept = self.dispatcher.may_accept() and time.monotonic() >= self.accept_at
        super().set_accept_enabled(bool(enabled) and may_accept)

    def accept(self, listener: socket.socket) -> None:
        """Notes that a listener has a connection; called by the selector's loop."""
        self.ready.append(listener)

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        """Takes a turn. It accepts connections after the requests of others, which may hold all threads, and before the
        next requests of clients that send them without waiting, which would always be first.
        """
        super().wait_for_and_dispatch_events(0 if self.conversation.has_pipelined else timeout)
        if self.quits:
            super().handle_quit(signal.SIGQUIT, None)
        while self.ready:
            self.take(self.ready.pop())
        if self.alive and not self._accepting:
            self.set_accept_enabled(True)
        self.conversation.read_pipelined()

    def take(self, listener: socket.socket) -> None:
        """Accepts a connection, unless all threads are held or the system has no room for it."""
        if not self.dispatcher.may_accept():
            self.set_accept_enabled(False)
            return
        try:
            stream, client = listener.accept()
        except OSError as error:
            # Linux also reports errors of the new connection itself: accept(2) says to treat them like EAGAIN.
            if error.errno in _NO_ROOM:
                self.pause(error)
            return
        self.dispatcher.accepted()
        address = network_of(client)
        for other in self.connections.in_the_way(address):
            self.polling.drop(other)
        if self.connections.is_full_for(address):
            stream.close()
            return
        output = OutputBuffer(stream, self.budget)
        connection = Connection(
            self.cfg, stream, client, listener.getsockname(), bounds=self.bounds, output=output, heads=self.heads
        )
        connection.address = address
        self.polling.add(connection, self.conversation.read, time.monotonic() + self.bounds.head_seconds)

    def pause(self, error: OSError) -> None:
        """Makes room, and accepts nothing for a moment, because the listener stays ready all the time."""
        self.log.warning("no connection can be accepted now: %s", error.strerror)
        for other in self.connections.nearest_to_deadline(list(self.connections)):
            self.polling.drop(other)
        self.accept_at = time.monotonic() + self.bounds.accept_pause
        self.set_accept_enabled(False)

    def answer_at_once(self, connection: Connection) -> bool:
        """Answers a request from memory, as a thread would; returns whether that was possible.

        Handing a request to a thread, and taking it back, takes longer than such an answer.
        """
        connection.output.is_polled = True
        try:
            connection.keeps = bool(self.handle(connection))
        except NotAtOnce:
            self.nr -= 1  # it is counted again
            return False
        finally:
            connection.output.is_polled = False
        return True

    # Threads are done

    def finish_request(self, conn: Any, fs: Future[bool]) -> None:
        """Takes back a connection from its thread; called in the poller's thread."""
        conn.deadline = 0.0
        conn.keeps = not fs.cancelled() and fs.exception() is None and bool(fs.result())
        self.dispatcher.finished(conn)
        self.polling.attempt(self.conversation.send_rest, conn)

    def write_refusal(self, connection: Connection, error: Exception) -> None:
        """Writes the response to a request that no thread gets."""
        self.handle_error(connection.request, connection.output, connection.client, error)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Writes an error response in the registry's own form, unless a response has begun."""
        refusal = refusal_for(exc)
        request_id = uuid.uuid4().hex
        self.refused += 1
        if refusal.is_bug:
            self.log.error("request %s failed in the server", request_id, exc_info=exc)
        elif self.refused <= _LOGGED:
            self.log.warning("what %s sent was refused: %s", addr[0] if addr else "a client", refusal.status)
        if not client.has_begun:
            client.sendall(refusal.response(request_id))

    # Time passes

    def notify(self) -> None:
        """Tells the main process once a second that this one is alive; gunicorn would do so after each event."""
        if time.monotonic() >= self.notify_at:
            self.notify_at = time.monotonic() + _SWEEP
            super().notify()

    def murder_pending(self) -> None:
        """Ends what takes too long; gunicorn calls it after each turn of its loop."""
        now = time.monotonic()
        for connection, request in self.dispatcher.overdue(now):
            self.polling.attempt(partial(self.conversation.store_overdue, request=request), connection)
        if now >= self.sweep_at:
            self.sweep_at = now + _SWEEP
            self.look_around()
            for connection in self.connections.late(now):
                self.polling.attempt(self.conversation.give_up, connection)

    def look_around(self) -> None:
        """Demands a better pace while the worker is crowded, and sums up the refusals that were not logged."""
        is_crowded = self.budget.is_half_full or self.connections.is_half_full
        self.conversation.pace = self.bounds.brisk if is_crowded else self.bounds.slowest
        if self.refused > _LOGGED:
            self.log.warning("%d more requests were refused", self.refused - _LOGGED)
        self.refused = 0

    def murder_keepalived(self, force: bool = False) -> None:
        """Closes all connections when the worker ends."""
        if force:
            for connection in self.connections:
                self.polling.drop(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """Limits the time of connections without a request to *deadline*, because the worker ends."""
        for connection in self.connections:
            if connection.request is None:
                connection.deadline = min(connection.deadline, deadline)
