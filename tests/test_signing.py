"""Signatures over published versions."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw import signing
from nproxy_mw.signing import keys

KINDS = [pytest.param(keys.Ed25519Signer, id="ed25519"), pytest.param(keys.P256Signer, id="p256")]
MESSAGE = signing.message("@acme/utils", "1.0.0", "sha512-abc")


def record_of(signer, **changes):
    return signing.public_record(signer.algorithm, signer.public) | changes


def test_message_is_what_npm_verifies():
    """The signed bytes are name@version:integrity, nothing more."""
    assert MESSAGE == b"@acme/utils@1.0.0:sha512-abc"


@pytest.mark.parametrize("kind", KINDS)
def test_signature_is_accepted(kind):
    """A signature is good for its message and key, as bytes and as stored."""
    signer = kind()
    signature = signer.sign(MESSAGE)
    assert signing.verify(record_of(signer), MESSAGE, signature)
    assert signing.verify(record_of(signer), MESSAGE, base64.b64encode(signature).decode())


@pytest.mark.parametrize("kind", KINDS)
def test_other_message_or_key_is_refused(kind):
    """A signature is good for nothing else."""
    signer, other = kind(), kind()
    signature = signer.sign(MESSAGE)
    assert not signing.verify(record_of(signer), MESSAGE + b"x", signature)
    assert not signing.verify(record_of(other), MESSAGE, signature)


@pytest.mark.parametrize("kind", KINDS)
def test_private_key_makes_the_same_signer(kind):
    """A signer made from a stored private key is the same signer."""
    signer = kind()
    again = kind(signer.private())
    assert (again.key_id, again.public) == (signer.key_id, signer.public)
    assert signing.verify(record_of(signer), MESSAGE, again.sign(MESSAGE))


@pytest.mark.parametrize("kind", KINDS)
def test_repr_shows_no_private_key(kind):
    """Printing a signer shows which key it is, and nothing of the private part."""
    signer = kind()
    shown = repr(signer) + str(signer) + f"{[signer]}"
    assert signer.key_id in shown
    for spelling in (signer.private().hex(), base64.b64encode(signer.private()).decode(), repr(signer.private())):
        assert spelling not in shown


def test_p256_is_read_by_others():
    """The public key is plain SubjectPublicKeyInfo, and the signature plain DER over SHA-256."""
    signer = keys.P256Signer()
    public = serialization.load_der_public_key(signer.public)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signer.sign(MESSAGE), MESSAGE, ec.ECDSA(hashes.SHA256()))


def test_ed25519_is_read_by_others():
    """The public key is plain SubjectPublicKeyInfo, and another library accepts the signature."""
    signer = keys.Ed25519Signer()
    public = serialization.load_der_public_key(signer.public)
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(signer.sign(MESSAGE), MESSAGE)


def test_key_id_is_in_npms_form():
    """A key id is SHA256: and the unpadded base64 of the public key's hash."""
    signer = keys.P256Signer()
    hashed = base64.b64encode(hashlib.sha256(signer.public).digest()).decode().rstrip("=")
    assert signer.key_id == f"SHA256:{hashed}"


def test_public_record_is_in_npms_form():
    """A public key is listed as npm and pnpm expect it."""
    signer = keys.P256Signer()
    assert signing.public_record(signer.algorithm, signer.public, "2027-01-01T00:00:00.000Z") == {
        "expires": "2027-01-01T00:00:00.000Z",
        "keyid": signer.key_id,
        "keytype": "ecdsa-sha2-nistp256",
        "scheme": "ecdsa-sha2-nistp256",
        "key": base64.b64encode(signer.public).decode(),
    }


@pytest.mark.parametrize("turned", [False, True])
def test_ed25519_never_stands_where_npm_verifies(turned):
    """P-256 goes to dist.signatures, Ed25519 to dist.nproxy, whatever the order of the signers."""
    pair = [keys.P256Signer(), keys.Ed25519Signer()]
    dist = signing.signatures("@acme/utils", "1.0.0", "sha512-abc", reversed(pair) if turned else pair)
    assert [entry["keyid"] for entry in dist["signatures"]] == [pair[0].key_id]
    assert [entry["keyid"] for entry in dist["nproxy"]["signatures"]] == [pair[1].key_id]
    assert signing.verify(record_of(pair[0]), MESSAGE, dist["signatures"][0]["sig"])
    assert signing.verify(record_of(pair[1]), MESSAGE, dist["nproxy"]["signatures"][0]["sig"])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"keytype": "rsa"}, id="unknown kind"),
        pytest.param({"keytype": ["ed25519"]}, id="kind is a list"),
        pytest.param({"keytype": "ecdsa-sha2-nistp256"}, id="another kind"),
        pytest.param({"key": "????"}, id="not base64"),
        pytest.param({"key": None}, id="no key"),
        pytest.param({"keyid": "SHA256:x"}, id="another key's id"),
    ],
)
def test_malformed_record_is_refused(changes):
    """A record that is not a key, or not the key it says it is, verifies nothing and raises nothing."""
    signer = keys.Ed25519Signer()
    assert not signing.verify(record_of(signer, **changes), MESSAGE, signer.sign(MESSAGE))
    assert not signing.verify({}, MESSAGE, signer.sign(MESSAGE))


def test_key_of_another_curve_is_refused():
    """A key of another curve is not taken for P-256, neither public nor private."""
    other = ec.generate_private_key(ec.SECP384R1())
    public = other.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signature = other.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    assert not signing.verify(signing.public_record(signing.P256, public), MESSAGE, signature)
    private = other.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="P-256"):
        keys.P256Signer(private)


SIGNERS = [keys.Ed25519Signer(), keys.P256Signer()]


@given(st.sampled_from(SIGNERS), st.binary(max_size=80) | st.text(max_size=80))
def test_any_signature_may_be_verified(signer, signature):
    """What is no signature is refused, never an exception."""
    assert not signing.verify(record_of(signer), MESSAGE, signature)
