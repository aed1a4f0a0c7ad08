"""What this registry saw of public packages that no packument says: what was taken away, and tarballs that contradict.

*Strategy:* an observation is one small object per package, outside of what a full cache gives up, and shared by all
processes and organizations that read through the cache. There are few of them and they rarely change. So a decision
need not read one at each request: one object for all packages, the *bell*, is written anew after each change, and a
look at it says that nothing has changed.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Protocol

import msgspec

from nproxy_mw.errors import Missing, NproxyError, StorageUnavailable
from nproxy_mw.grounds import rest_on
from nproxy_mw.http.at_once import about_to_wait
from nproxy_mw.lru import Lru
from nproxy_mw.npm.mismatches import mismatch
from nproxy_mw.npm.slices import as_text
from nproxy_mw.npm.tarballs import Whole
from nproxy_mw.storage.listing import list_names
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import CachedObject, RevisionCache
from nproxy_mw.storage.swaps import Swap, overwrite
from nproxy_mw.upstream.kept_tarballs import Wanted

FORMAT = 1
_BELL = "bell"
_FOLDER = "packages"
_log = logging.getLogger(__name__)


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one package.

    *withdrawn* are versions that the upstream took away after this registry held them. *mismatches* maps a version to
    what its tarball says otherwise than its manifest.
    """

    format: int = FORMAT
    withdrawn: frozenset[str] = frozenset()
    mismatches: dict[str, str] = {}

    @property
    def state(self) -> str:
        """Names what was seen; empty when there is nothing."""
        if self == NOTHING:
            return ""
        parts = [*sorted(self.withdrawn), "", *(f"{key}\0{text}" for key, text in sorted(self.mismatches.items()))]
        return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


NOTHING = Observation()


class Observe(Protocol):
    """Returns what was seen of a package; if *current*, also where the storage could answer from memory."""

    def __call__(self, package: str, *, current: bool = False) -> Observation: ...


def nothing_seen(package: str, *, current: bool = False) -> Observation:
    """Returns `NOTHING`: where nobody watches."""
    return NOTHING


ObservationStep = Callable[[Observation], Observation]


def taken_away(gone: Collection[str], listed: Collection[str]) -> ObservationStep:
    """Returns the step that notes what is *gone*. What is *listed* is not, or is back. Pure."""
    return lambda seen: msgspec.structs.replace(seen, withdrawn=seen.withdrawn.union(gone).difference(listed))


def looked_into(version: str, reason: str) -> ObservationStep:
    """Returns the step that notes what the tarball of *version* says otherwise; *reason* is empty if nothing. Pure."""

    def step(seen: Observation) -> Observation:
        others = {key: text for key, text in seen.mismatches.items() if key != version}
        return msgspec.structs.replace(seen, mismatches={**others, version: reason} if reason else others)

    return step


class Observations:
    """The observations on *storage*, which has nothing else."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._bell = RevisionCache(storage, bytes)
        self._known: Lru[str, tuple[bytes, Observation]] = Lru(max_items=50_000)
        self._heard: CachedObject[bytes] | None = None  # without the way to it: each repeated answer asks
        self._listed: tuple[bytes, frozenset[str] | None] = b"", None

    def of(self, package: str, *, current: bool = False) -> Observation:
        """Returns what was seen of a package. Raises nothing: where that cannot be read, what is known counts on.

        *current* asks the storage, even where it may answer from memory for a while.
        """
        known = self._known.get(package)
        try:
            rung = self._rung(current)
            if known is None or known[0] != rung:
                known = rung, self._read(package, rung)
                self._known.put(package, known)
        except StorageUnavailable as error:
            _log.warning("what was seen of %s cannot be read: %s", package, error)
        return known[1] if known else NOTHING

    def note(self, package: str, step: ObservationStep) -> None:
        """Takes *step*. Raises nothing: what cannot be stored counts in this process alone."""
        before = self.of(package)
        if step(before) == before:
            return
        try:
            Swap[Observation](
                self.storage,
                _key(package),
                decode=_decoded,
                encode=_ENCODER.encode,
                next=lambda seen: step(seen or NOTHING),
                is_done=lambda seen: step(seen) == seen,
            ).run()
            self._ring()
        except NproxyError as error:
            _log.warning("what was seen of %s cannot be stored: %s", package, error)
            known = self._known.get(package)
            self._known.put(package, (known[0] if known else b"", step(before)))

    def arrived(self, tarball: Wanted, data: Whole) -> None:
        """Looks into a tarball that was just fetched, and notes whether it contradicts its manifest. Raises nothing."""
        package, version = str(tarball.name), as_text(tarball.manifest.get("version")) or ""
        try:
            reason = mismatch(tarball.manifest, data)
        except Exception:  # anybody made it, and anyone who waits for it must hear of the end
            _log.exception("the tarball %s of %s could not be looked into", tarball.filename, package)
            return
        self.note(package, looked_into(version, reason))

    def _read(self, package: str, rung: bytes) -> Observation:
        about_to_wait()
        if not self._may_have(package, rung):
            return NOTHING
        try:
            return _decoded(self.storage.read(_key(package)).data)
        except Missing:
            return NOTHING

    def _may_have(self, package: str, rung: bytes) -> bool:
        """Whether there may be an observation of a package, or of one in its scope.

        Where listing names costs as good as nothing, it is done once after each bell. That spares most packages a look
        at an object that is not there.
        """
        at, names = self._listed
        if at != rung:
            listed = list_names(self.storage, _FOLDER)
            names = None if listed is None else frozenset(listed)
            self._listed = rung, names
        return names is None or package.partition("/")[0] in names

    def _rung(self, current: bool) -> bytes:
        """What the bell says. It is written when it is not there: a look at what is absent costs more."""
        heard = self._heard
        if heard is not None and not current and heard.look is not None and heard.look():
            rest_on(heard.look)
            return heard.value
        about_to_wait()  # it is read, or written, and what was seen is read after it
        try:
            self._heard = heard = self._bell.entry(_BELL, current=current)
        except Missing:
            self._ring()
            self._heard = heard = self._bell.entry(_BELL)
        return heard.value

    def _ring(self) -> None:
        overwrite(self.storage, _BELL, secrets.token_hex(8).encode())


def _key(package: str) -> str:
    return f"{_FOLDER}/{package}/seen"


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Observation)


def _decoded(data: bytes) -> Observation:
    """A damaged observation, or one of another format, counts as none: it is made again with the next look."""
    try:
        found = _DECODER.decode(data)
    except msgspec.DecodeError:
        return NOTHING
    return found if found.format == FORMAT else NOTHING
