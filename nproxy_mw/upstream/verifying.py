"""Bytes that are verified on their way: the last of them are held back until all of them have the right digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from nproxy_mw.errors import UpstreamUnavailable

HELD = 64 * 1024
"""Bytes at the end that no client sees before the whole is verified."""

WRONG_BYTES = "integrity-mismatch"
"""Code of the error for a tarball that is not what its packument promises."""

_SHASUM = re.compile(r"[0-9a-fA-F]{40}", re.ASCII)
_STRENGTHS = ("sha512", "sha384", "sha256", "sha1")
_WRONG = "The upstream registry sent other bytes than its packument promises (dist.integrity): nothing of it is kept."


class Digest(Struct, frozen=True):
    """What bytes must hash to: an algorithm of `hashlib`, and the raw digest."""

    algorithm: str
    value: bytes

    def __str__(self) -> str:
        return f"{self.algorithm}-{base64.b64encode(self.value).decode()}"


def digest_of(integrity: str | None, shasum: str | None) -> Digest | None:
    """Returns the strongest digest that a manifest's ``dist`` gives; None when it gives none that can be read.

    *integrity* is in the form of https://www.w3.org/TR/SRI/: one or more hashes, separated by spaces. *shasum* is SHA-1
    in hexadecimal.
    """
    found: dict[str, bytes] = {}
    for word in (integrity or "")[:4096].split():
        algorithm, _, text = word.partition("?")[0].partition("-")
        try:
            value = base64.b64decode(text, validate=True)
        except binascii.Error:
            continue
        if algorithm in _STRENGTHS and len(value) == hashlib.new(algorithm).digest_size:
            found.setdefault(algorithm, value)
    if not found and _SHASUM.fullmatch(shasum or ""):
        found["sha1"] = bytes.fromhex(shasum or "")
    return next((Digest(algorithm, found[algorithm]) for algorithm in _STRENGTHS if algorithm in found), None)


class Verifier:
    """Hashes what it is fed, and checks the digest at the end."""

    def __init__(self, digest: Digest | None, size: int | None = None) -> None:
        self.digest = digest
        self.size = size
        self.taken = 0
        self._hash = hashlib.new(digest.algorithm, usedforsecurity=False) if digest else None

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        self.taken += len(data)
        if self._hash is not None:
            self._hash.update(data)

    @property
    def is_content(self) -> bool:
        """Whether everything was there and right."""
        return self._is_whole and self._is_right

    def finish(self) -> None:
        """Passes when everything was there and right.

        Raises:
            UpstreamUnavailable: it was not.
        """
        if not self._is_whole:
            raise UpstreamUnavailable("The upstream registry's tarball broke off.")
        if not self._is_right:
            raise UpstreamUnavailable(_WRONG, code=WRONG_BYTES)

    @property
    def _is_whole(self) -> bool:
        return self.size is None or self.taken == self.size

    @property
    def _is_right(self) -> bool:
        return self.digest is None or self._hash is None or self._hash.digest() == self.digest.value


def verified(chunks: Iterable[bytes], verifier: Verifier) -> Iterator[bytes]:
    """Yields *chunks*, the last `HELD` bytes only when *verifier* is content. Raises as it does."""
    held = b""
    for chunk in chunks:
        verifier.feed(chunk)
        held += chunk
        if len(held) > HELD:
            yield held[:-HELD]
            held = held[-HELD:]
    verifier.finish()
    yield held
