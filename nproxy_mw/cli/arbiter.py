"""TerminalArbiter: the server says that it stops, and stops when the terminal that it was started in is closed."""

from __future__ import annotations

import signal
from typing import Any

from gunicorn.arbiter import Arbiter

from nproxy_mw.cli.terminal import announce_stop, has_terminal


class TerminalArbiter(Arbiter):
    """gunicorn's main process, for a program that people start by hand.

    gunicorn reloads on SIGHUP, which is also what the system sends when a terminal is closed: the server would run on,
    with nothing left that stops it. Without a terminal, as under systemd, SIGHUP reloads; under nohup it does nothing.
    """

    def __init__(self, app: Any) -> None:
        self.had_terminal = has_terminal()
        super().__init__(app)

    def init_signals(self) -> None:
        """Leaves SIGHUP alone when whatever started the program did, as nohup does."""
        is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        super().init_signals()
        if is_ignored:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle_hup(self) -> None:
        """Stops when the terminal is gone, else reloads."""
        if self.had_terminal and not has_terminal():
            self.handle_term()
        super().handle_hup()

    def handle_int(self) -> None:
        """Stops, as Ctrl-C asks."""
        announce_stop(self.cfg.graceful_timeout)
        super().handle_int()

    def handle_term(self) -> None:
        """Stops, as a service manager asks."""
        announce_stop(self.cfg.graceful_timeout)
        super().handle_term()
