"""At once: a server asks for an answer that takes no time, and otherwise gives the request to a thread.

A server whose connections are served by one thread, and requests by others, can have that one answer what is in memory:
handing a request over, and taking it back, costs more than the answer.
"""

from __future__ import annotations

AT_ONCE = "nproxy.at_once"
"""The environ key of a server that can only wait for what is in memory. `nproxy_mw.middleware.repeat` heeds it."""


class NotAtOnce(BaseException):
    """The answer takes longer: the request comes again, in a thread. No layer answers it, so it is no `Exception`."""
