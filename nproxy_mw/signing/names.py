"""What algorithms and public keys are called: by npm, where it has a name for them."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

ED25519: Final = "ed25519"
P256: Final = "ecdsa-sha2-nistp256"
"""npm's name of the algorithm. pnpm takes only keys whose ``keytype`` and ``scheme`` are exactly this."""


def key_id(public: bytes) -> str:
    """Returns the identifier of a public key, given as DER SubjectPublicKeyInfo, in the form of npm's own registry."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")
