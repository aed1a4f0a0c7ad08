"""What can go wrong with an upstream, on purpose and in a fixed order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from benchmarks.upstream.replies import Reply, plain


class Fault(Enum):
    """Kinds of faults, by the names that ``--fault`` takes."""

    UNAVAILABLE = "503"
    """The reply is 503."""
    CUT = "cut"
    """The connection ends in the middle of the body."""
    RESET = "reset"
    """The connection is reset before the reply."""
    WRONG = "wrong"
    """The body has the right length and the wrong bytes."""


class Ending(Enum):
    """What happens to the connection after the bytes."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What goes over the wire."""

    data: Sequence[bytes]
    ending: Ending = Ending.KEEP


@dataclass(slots=True)
class Faults:
    """Each fault with its period: 10 means that it happens to every tenth object that is asked for."""

    periods: Sequence[tuple[Fault, int]] = ()
    asked: int = 0

    def next(self) -> Fault | None:
        """Returns the fault of the next object, or None. If two are due at once, the first in the list happens."""
        self.asked += 1
        return next((fault for fault, period in self.periods if self.asked % period == 0), None)


def parse_fault(text: str) -> tuple[Fault, int]:
    """Returns the fault and the period that ``KIND:EVERY`` names, such as ``503:10``.

    Raises:
        ValueError: it names none.
    """
    kind, _, every = text.partition(":")
    if not every.isdecimal() or int(every) < 1:
        raise ValueError(f"{text!r} is not KIND:EVERY, such as 503:10 for every tenth object.")
    try:
        return Fault(kind), int(every)
    except ValueError as error:
        kinds = ", ".join(fault.value for fault in Fault)
        raise ValueError(f"{kind!r} is not a fault: use one of {kinds}.") from error


def deliver(reply: Reply, fault: Fault | None, *, is_head: bool = False) -> Delivery:
    """Returns the bytes of *reply* with *fault* done to them."""
    if fault is Fault.RESET:
        return Delivery((), Ending.RESET)
    if fault is Fault.UNAVAILABLE:
        reply = plain(503, b'{"error":"The registry is unavailable."}')
    body = b"" if is_head else reply.body
    if fault is Fault.CUT:
        return Delivery((reply.head(), body[: len(body) // 2]), Ending.CLOSE)
    return Delivery((reply.head(), _wrong(body) if fault is Fault.WRONG else body))


def _wrong(body: bytes) -> bytes:
    """Returns *body* with the bits of its last byte flipped: a gzip stream then fails its own check, too."""
    return body[:-1] + bytes([body[-1] ^ 0xFF]) if body else body
