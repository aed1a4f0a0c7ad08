"""At once: a server asks for an answer that takes no time, and otherwise gives the request to a thread.

A server whose connections are served by one thread, and requests by others, can have that one answer what is in memory:
handing a request over, and taking it back, costs more than the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = "nproxy.at_once"
"""The environ key of a server that can only wait for what is in memory. `nproxy_mw.middleware.repeat` heeds it."""


class NotAtOnce(BaseException):
    """The answer takes longer: the request comes again, in a thread. No layer answers it, so it is no `Exception`."""


_MAY_WAIT: ContextVar[bool] = ContextVar("nproxy-may-wait", default=True)


def without_waiting(call: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
    """Returns what *call* does, within which nothing waits that says so by `about_to_wait`.

    Raises:
        NotAtOnce: something would have waited.
    """
    token = _MAY_WAIT.set(False)
    try:
        return call(*values, **named)
    finally:
        _MAY_WAIT.reset(token)


def about_to_wait() -> None:
    """Says that what follows may take long, in code that is asked whether an answer still holds.

    Raises:
        NotAtOnce: the thread serves all connections. The request comes again, in a thread of its own.
    """
    if not _MAY_WAIT.get():
        raise NotAtOnce
