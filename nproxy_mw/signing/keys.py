"""The two kinds of key: Ed25519 by PyNaCl, ECDSA P-256 by cryptography."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from nproxy_mw.signing.names import ED25519, P256, key_id

# RFC 8410: an Ed25519 SubjectPublicKeyInfo is this, then the 32 bytes of the key.
_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")


class Mismatch(Exception):
    """A signature that is not by this key."""


class Ed25519Signer:
    """Signs with Ed25519 (PyNaCl). *private* is the 32 bytes of the seed; if it is None, a new key is made."""

    algorithm: Final = ED25519

    def __init__(self, private: bytes | None = None) -> None:
        self._key = SigningKey(private) if private is not None else SigningKey.generate()
        self.public = _ED25519_SPKI + bytes(self._key.verify_key)
        self.key_id = key_id(self.public)

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.key_id})"

    def sign(self, data: bytes) -> bytes:
        """Returns the 64 bytes of the signature."""
        return self._key.sign(data).signature

    def private(self) -> bytes:
        """Returns the seed, to be stored."""
        return bytes(self._key)


class P256Signer:
    """Signs with ECDSA P-256 over SHA-256. *private* is DER PKCS #8; if it is None, a new key is made."""

    algorithm: Final = P256

    def __init__(self, private: bytes | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1()) if private is None else _load_p256(private)
        self.public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = key_id(self.public)

    def __repr__(self) -> str:
        return f"P256Signer({self.key_id})"

    def sign(self, data: bytes) -> bytes:
        """Returns the signature as DER, the only form npm verifies."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def private(self) -> bytes:
        """Returns the key as DER PKCS #8, to be stored."""
        return self._key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def check(algorithm: str, public: bytes, data: bytes, signature: bytes) -> None:
    """Returns when *signature* over *data* is by the key *public*, given as DER SubjectPublicKeyInfo.

    Raises:
        Mismatch: it is not, or the key is of a kind that is not supported.
        ValueError: *public* is not a key of this *algorithm*.
        KeyError: there is no such algorithm.
    """
    try:
        _VERIFIERS[algorithm](public, data, signature)
    except (UnsupportedAlgorithm, BadSignatureError, InvalidSignature) as error:
        raise Mismatch from error


def _verify_ed25519(public: bytes, data: bytes, signature: bytes) -> None:
    if not public.startswith(_ED25519_SPKI):
        raise ValueError("not an Ed25519 key")
    VerifyKey(public.removeprefix(_ED25519_SPKI)).verify(data, signature)


def _verify_p256(public: bytes, data: bytes, signature: bytes) -> None:
    key = serialization.load_der_public_key(public)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a P-256 key")
    key.verify(signature, data, ec.ECDSA(hashes.SHA256()))


_VERIFIERS = {ED25519: _verify_ed25519, P256: _verify_p256}


def _load_p256(private: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_der_private_key(private, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a P-256 private key")
    return key
