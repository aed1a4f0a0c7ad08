"""What an API token looks like: ``nproxy_``, 43 base62 characters of 32 random bytes, 6 of a checksum. No I/O.

The checksum is the CRC-32 of the 43 characters, in base62. It protects no secret. With it, a mistyped or cut token is
refused without asking the storage, and secret scanners can recognize a token. A CRC-32 finds every error within 32
neighboring bits, so it finds any single wrong character.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

PREFIX = "nproxy_"
SESSION_PREFIX = "session_"
"""How secrets of management API sessions begin, so that a session is never taken for an API token."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES = 32
_BODY = 43  # characters that hold 32 bytes in base62
_CHECK = 6  # characters that hold 32 bits in base62
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_BODY + _CHECK}}}", re.ASCII)
_SESSION = re.compile(rf"{SESSION_PREFIX}[0-9A-Za-z]{{{_BODY}}}", re.ASCII)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")
_SECRET = re.compile(rf"({PREFIX}|{SESSION_PREFIX})[0-9A-Za-z]{{8,}}", re.ASCII)


def make_secret() -> str:
    """Returns a new token. It is shown once and never stored."""
    body = _base62(secrets.token_bytes(_RANDOM_BYTES), _BODY)
    return PREFIX + body + _checksum(body)


def make_session_secret() -> str:
    """Returns a new session's secret, of the same strength, without a checksum: people do not type it."""
    return SESSION_PREFIX + _base62(secrets.token_bytes(_RANDOM_BYTES), _BODY)


def looks_like_ours(text: str) -> bool:
    """Returns whether *text* claims to be an API token of this registry, right or wrong: it never goes upstream."""
    return text.startswith(PREFIX)


def mentions_ours(text: str) -> bool:
    """Returns whether *text* contains a token or a session of ours, whole or in part.

    Plain text, percent-encoding and base64 of either alphabet are searched, wherever the base64 begins: the upstream
    may decode any of them, so a text that contains a secret must not be sent to it.
    """
    plain = unquote(text)
    return any(_shows_ours(shown) for shown in (text, plain, *_decodings(text), *_decodings(plain)))


def holds_secret(text: str) -> bool:
    """Returns whether a whole token or session of ours is in *text*, in plain letters.

    Unlike `mentions_ours`, this is sure: ``nproxy_helpers`` may be the name of a package.
    """
    tokens = _FORM.finditer(text) if PREFIX in text else ()
    return any(is_wellformed(match[0]) for match in tokens) or _SESSION.search(text) is not None


def decode_base64(text: str) -> str:
    """Returns *text* decoded from base64 leniently: in either alphabet, with or without padding."""
    plain = _NOT_BASE64.sub("", text.translate(_URL_SAFE))
    whole = plain[:-1] if len(plain) % 4 == 1 else plain
    return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")


def is_wellformed(text: str) -> bool:
    """Returns whether *text* has a token's length, alphabet and checksum, not whether the token is known."""
    if not _FORM.fullmatch(text):
        return False
    body, check = text[len(PREFIX) : -_CHECK], text[-_CHECK:]
    return check == _checksum(body)


def digest(secret: str) -> str:
    """Returns the SHA-256 of a whole secret, in hex: the only form in which a secret is stored or named."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def redact(text: str) -> str:
    """Returns *text* with everything in it that looks like a secret of ours cut to its prefix."""
    return _SECRET.sub(r"\1[redacted]", text)


def _shows_ours(text: str) -> bool:
    return PREFIX in text or _SESSION.search(text) is not None


def _decodings(text: str) -> Iterator[str]:
    """Yields *text* decoded from base64, from each place in a group of four: other text may precede it."""
    plain = _NOT_BASE64.sub("", text.translate(_URL_SAFE))
    return (decode_base64(plain[start:]) for start in range(4))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()).to_bytes(4, "big"), _CHECK)


def _base62(data: bytes, width: int) -> str:
    number, characters = int.from_bytes(data, "big"), []
    for _ in range(width):
        number, rest = divmod(number, 62)
        characters.append(_ALPHABET[rest])
    return "".join(reversed(characters))
