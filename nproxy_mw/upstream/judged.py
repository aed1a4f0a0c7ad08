"""Decisions that are kept, so that each is made once: in the process, and for the processes of the host."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b

import msgspec

from nproxy_mw.errors import Busy, Missing, StorageUnavailable
from nproxy_mw.lazy import lazy
from nproxy_mw.lru import Lru
from nproxy_mw.rules.decisions import Decision, Finding
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.swaps import Swap, overwrite

FORMAT = 1


class Judged(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A decision and what it was made from: the packument's revision, the state of the policy, and when."""

    format: int = FORMAT
    revision: str
    policy: str
    made: datetime
    decision: Decision

    def holds(self, policy: str, now: datetime) -> bool:
        """Whether the policy is the same, and nothing has matured since."""
        until = self.decision.valid_until
        return self.policy == policy and (until is None or now < until)

    def is_like(self, other: Judged) -> bool:
        """Whether the two say the same for the same reasons, whenever they were made."""
        return (self.revision, self.policy, self.decision) == (other.revision, other.policy, other.decision)

    @lazy
    def verdicts(self) -> tuple[tuple[str, str], ...]:
        """``block`` or ``warn``, and the rule, for each rule that flags a version."""
        return verdicts_in(self.decision.blocked.values(), self.decision.warned.values())

    @lazy
    def state(self) -> str:
        """Names the filtered packument: the same text for the same bytes."""
        until = self.decision.valid_until
        text = f"{self.policy}\0{until.isoformat() if until else ''}"
        return blake2b(text.encode(), digest_size=8).hexdigest()


def verdicts_in(
    blocked: Iterable[Iterable[Finding]], warned: Iterable[Iterable[Finding]]
) -> tuple[tuple[str, str], ...]:
    """Returns ``block`` or ``warn``, and the rule, for each rule that has a finding among these."""
    pairs = (("block", blocked), ("warn", warned))
    return tuple((mode, rule) for mode, found in pairs for rule in sorted({one.rule for some in found for one in some}))


class Judgments:
    """The decisions of one organization: the last ones in memory, and all on *storage*, below *folder*.

    If *storage* is None, each process decides for itself.
    """

    def __init__(self, storage: Storage | None = None, folder: str = "decisions", *, max_items: int = 20_000) -> None:
        self.storage = storage
        self.folder = folder
        self._guard = threading.Lock()
        self._memory: Lru[str, Judged] = Lru(max_items=max_items)

    def find(self, package: str) -> Judged | None:
        """Returns the last decision about a package, whether it still holds or not; None when none is kept."""
        return self.remembered(package) or self.stored(package)

    def remembered(self, package: str) -> Judged | None:
        """Returns the last decision that this process knows of."""
        return self._memory.get(package)

    def stored(self, package: str) -> Judged | None:
        """Returns the decision that some process of the host stored last, and remembers it."""
        if self.storage is None:
            return None
        try:
            found = _decoded(self.storage.read(self._key(package)).data)
        except (Missing, StorageUnavailable):
            return None
        if found is None:
            return None
        known = self._memory.get(package)
        if known == found:  # the same object stays: what rests on it goes on
            return known
        self._memory.put(package, found)
        return found

    def keep(self, package: str, judged: Judged) -> bool:
        """Remembers a decision and stores it. Whether it is news: nobody has stored the same one.

        That it cannot be stored is no reason to refuse a request.
        """
        with self._guard:
            known = self._memory.get(package)
            self._memory.put(package, judged)
        if self.storage is None:
            return known is None or not known.is_like(judged)

        def step(before: Judged | None) -> Judged | None:
            return None if before is not None and before.is_like(judged) else judged

        def is_done(found: Judged | None) -> bool:
            return found is not None and found.is_like(judged)

        swap = Swap[Judged | None](self.storage, self._key(package), _decoded, _ENCODER.encode, step, is_done)
        try:
            swap.run((None, None) if known is None else None)  # nothing was there a moment ago
        except (StorageUnavailable, Busy):
            return True
        return swap.written is not None

    def confirm(self, package: str, judged: Judged) -> None:
        """Remembers and stores that a decision was looked at again at the moment at which it says it was made."""
        self._memory.put(package, judged)
        if self.storage is not None:
            with suppress(StorageUnavailable):
                overwrite(self.storage, self._key(package), _ENCODER.encode(judged))

    def _key(self, package: str) -> str:
        return f"{self.folder}/{package}.decision"


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Judged)


def _decoded(data: bytes) -> Judged | None:
    """A damaged decision, or one of another format, counts as none: it is made again."""
    try:
        found = _DECODER.decode(data)
    except msgspec.DecodeError:
        return None
    return found if found.format == FORMAT else None
