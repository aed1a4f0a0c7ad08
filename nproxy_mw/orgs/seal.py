"""Sealing of private keys at rest: without a key from the environment, the stored ones are of no use."""

from __future__ import annotations

import base64
import binascii
import re

SIZE = 32  # bytes of a key

_HEX = re.compile(rf"[0-9A-Fa-f]{{{2 * SIZE}}}", re.ASCII)


class Seal:
    """Seals and unseals small secrets with one key of 32 bytes (XSalsa20-Poly1305, PyNaCl's SecretBox)."""

    def __init__(self, key: bytes) -> None:
        if len(key) != SIZE:
            raise ValueError(f"A seal key has {SIZE} bytes.")
        from nacl.secret import SecretBox  # here because most servers have no seal

        self._box = SecretBox(key)

    def __repr__(self) -> str:
        return "Seal()"

    @classmethod
    def from_text(cls, text: str) -> Seal:
        """Returns a seal from its key as ``NPROXY_SEAL_KEY`` holds it: 32 bytes in hex or base64.

        Raises:
            ValueError: it is neither.
        """
        text = text.strip()
        try:
            return cls(bytes.fromhex(text) if _HEX.fullmatch(text) else base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            # Without the cause: it may quote the key.
            raise ValueError(f"NPROXY_SEAL_KEY must be {SIZE} bytes in hex or base64.") from None

    def seal(self, secret: bytes) -> bytes:
        """Returns *secret* sealed: other bytes each time."""
        return bytes(self._box.encrypt(secret))

    def unseal(self, sealed: bytes) -> bytes:
        """Returns what was sealed.

        Raises:
            ValueError: it was sealed with another key, or altered.
        """
        from nacl.exceptions import CryptoError

        try:
            return self._box.decrypt(sealed)
        except CryptoError as error:
            raise ValueError("sealed with another key, or altered") from error
