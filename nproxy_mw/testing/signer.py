"""What is true of every `Signer`, as tests. Subclass `SignerContract` for keys of your own (a KMS, an HSM)::

    class TestOurSigner(SignerContract):
        @pytest.fixture
        def signer(self):
            return OurSigner(...)

pytest then collects every fact below as a test of that class.
"""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from nproxy_mw.signing import ED25519, P256, Signer, key_id, message, public_record, signatures, verify
from nproxy_mw.testing.races import in_threads

DATA = [b"", b"\0", message("@acme/utils", "1.0.0", "sha512-x"), bytes(range(256)) * 1000]


class SignerContract:
    """What is true of every `Signer`. Subclass it, and give it a fixture ``signer``."""

    @pytest.fixture
    def signer(self) -> Signer:
        """A key that signs."""
        pytest.fail("Give this class a fixture named signer.")

    def test_public_key_is_of_its_algorithm(self, signer: Signer) -> None:
        """Clients read it as DER SubjectPublicKeyInfo; its identifier is the digest of that."""
        key = load_der_public_key(signer.public)
        if signer.algorithm == P256:
            assert isinstance(key, EllipticCurvePublicKey)
            assert isinstance(key.curve, SECP256R1)
        else:
            assert signer.algorithm == ED25519
            assert isinstance(key, Ed25519PublicKey)
        assert signer.key_id == key_id(signer.public)

    @pytest.mark.parametrize("data", DATA, ids=["empty", "NUL", "a version", "256 kB"])
    def test_signature_is_over_all_of_the_data(self, signer: Signer, data: bytes) -> None:
        """It verifies by the public key over these bytes, and over no others."""
        record, signature = public_record(signer.algorithm, signer.public), signer.sign(data)
        assert verify(record, data, signature)
        assert not verify(record, data + b"\0", signature)
        assert not verify(record, data[1:] or b"x", signature)
        if signer.algorithm == ED25519:
            assert len(signature) == 64

    def test_version_is_signed_where_clients_look(self, signer: Signer) -> None:
        """Signatures of a version have the key's identifier, in the list of its algorithm and not in the other."""
        dist = signatures("@acme/utils", "1.0.0", "sha512-x", [signer])
        lists = {P256: dist["signatures"], ED25519: dist["nproxy"]["signatures"]}
        (entry,) = lists.pop(signer.algorithm)
        assert entry["keyid"] == signer.key_id
        assert verify(public_record(signer.algorithm, signer.public), DATA[2], entry["sig"])
        assert list(lists.values()) == [[]]

    def test_key_stays_the_same(self, signer: Signer) -> None:
        """The public key does not change while the signer lives, and signing does not change it."""
        before = signer.public, signer.key_id, signer.algorithm
        signer.sign(b"x")
        assert (signer.public, signer.key_id, signer.algorithm) == before

    def test_threads_sign_at_once(self, signer: Signer) -> None:
        """Each gets the signature of its own data."""
        record = public_record(signer.algorithm, signer.public)
        found = in_threads(8, lambda number: signer.sign(b"%d" % number))
        assert [verify(record, b"%d" % number, one) for number, one in enumerate(found)] == [True] * 8

    def test_private_key_is_not_shown(self, signer: Signer) -> None:
        """Where the key can be stored, what a log prints of the signer does not have it."""
        private = getattr(signer, "private", bytes)()
        shown = f"{signer!r} {signer}"
        for text in (private.hex(), base64.b64encode(private).decode(), repr(private)):
            assert not private or text not in shown
