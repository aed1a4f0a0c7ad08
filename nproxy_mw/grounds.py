"""Grounds: what an answer rests on, noted while it is made, so that it can be given again as long as they hold.

Code that looks something up for a request rests the answer on a `Look`: a question that takes next to nothing, and says
whether the same would be found again. Before an answer is repeated, each of its looks is asked. So a repeated answer is
what a new one would be, and code that changes something needs to know nothing of answers.

This denies by default. Each `Witness` must vouch that all it went by has been noted. Where a host puts in something of
its own, such as its own tokens, nobody vouches for it, and each answer is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Look: TypeAlias = Callable[[], bool]
"""Returns True when what was found holds at this moment; False also for what cannot be told. Safe for threads."""

Act: TypeAlias = "Callable[[WSGIEnvironment], None]"
"""What is to be done for each request that gets the answer, such as counting it."""


class Witness(Enum):
    """Who knows what an answer rests on."""

    CALLER = auto()
    """What found out who asks."""
    SETTINGS = auto()
    """What keeps the settings of the organization."""
    SOURCE = auto()
    """What keeps the package."""
    RENDERER = auto()
    """What made a response of it, going by nothing of the request but what `nproxy_mw.middleware.repeat` compares."""


_ALL = frozenset(Witness)


class Grounds(Struct):
    """The *looks* that one answer rests on, the *acts* that go with it, and what else it takes to repeat it."""

    looks: dict[Look, None] = field(default_factory=dict)  # each once, in the order in which they came
    acts: list[Act] = field(default_factory=list)
    vouched: set[Witness] = field(default_factory=set)
    is_unique: bool = False

    @property
    def are_known(self) -> bool:
        """Whether the looks are all that the answer rests on."""
        return not self.is_unique and self.vouched == _ALL


_NOTED: ContextVar[Grounds | None] = ContextVar("nproxy-grounds", default=None)


@contextmanager
def noted() -> Iterator[Grounds]:
    """Notes, within the block, what the answer of this thread rests on."""
    grounds = Grounds()
    token = _NOTED.set(grounds)
    try:
        yield grounds
    finally:
        _NOTED.reset(token)


def rest_on(look: Look | None) -> None:
    """Rests the answer on *look*; if it is None, nobody can tell, and the answer is not repeated."""
    grounds = _NOTED.get()
    if grounds is None:
        return
    if look is None:
        grounds.is_unique = True
    else:
        grounds.looks[look] = None


def vouch(witness: Witness, *looks: Look) -> None:
    """Rests the answer on *looks*, and says for *witness* that all it went by has been noted."""
    grounds = _NOTED.get()
    if grounds is not None:
        grounds.looks.update(dict.fromkeys(looks))
        grounds.vouched.add(witness)


def each_time(act: Act) -> None:
    """Has *act* called for each request that gets the answer again; for this one it was done already."""
    grounds = _NOTED.get()
    if grounds is not None:
        grounds.acts.append(act)
