"""The upstream's signatures on a version: good, by an unknown key, by an expired one, wrong; and hostile keys."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.hosting import PlatformFixture

from nproxy_mw import signing
from nproxy_mw.firewall import registry_signatures
from nproxy_mw.firewall.gateway import Gateway
from nproxy_mw.firewall.registry_signatures import (
    NO_INTEGRITY,
    NO_KEYS,
    UNAVAILABLE,
    SignatureReport,
    signature_report,
)
from nproxy_mw.firewall.review import reviewed
from nproxy_mw.npm.names import parse_name
from nproxy_mw.signing import P256
from nproxy_mw.signing.keys import P256Signer
from nproxy_mw.stack import gateway_to, transport_to
from nproxy_mw.testing.upstream import RecordingUpstream, Reply

PUBLISHED = "2020-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def signer() -> P256Signer:
    """The upstream's key."""
    return P256Signer()


@pytest.fixture
def upstream(signer: P256Signer) -> Iterator[RecordingUpstream]:
    """An upstream with one signed version."""
    with RecordingUpstream() as upstream:
        upstream.publish("axios", "1.0.0")
        upstream.state.keys = [signing.public_record(P256, signer.public)]
        sign(upstream, signer)
        yield upstream


def dist_of(upstream: RecordingUpstream) -> dict[str, Any]:
    found: dict[str, Any] = upstream.state.packuments["axios"]["versions"]["1.0.0"]["dist"]
    return found


def sign(upstream: RecordingUpstream, signer: P256Signer, name: str = "axios", **entry: Any) -> None:
    """Puts a signature on the version."""
    dist = dist_of(upstream)
    made = signing.signatures(name, "1.0.0", dist["integrity"], [signer])["signatures"]
    dist["signatures"] = [{**made[0], **entry}]


def report(upstream: RecordingUpstream) -> SignatureReport:
    """What a server that knows nothing yet says of the version."""
    firewall = PlatformFixture(upstream=upstream.url).platform.firewall("acme")
    assert firewall is not None
    return signature_report(firewall.unruled, reviewed(firewall, parse_name("axios")), "1.0.0")


def states(upstream: RecordingUpstream) -> list[str]:
    found = report(upstream)
    assert found.obstacle == ""
    return [one.state for one in found.signatures]


def test_good_signature(upstream: RecordingUpstream, signer: P256Signer) -> None:
    """Its key is named."""
    found = report(upstream)
    assert [one.to_document() for one in found.signatures] == [{"state": "valid", "keyId": signer.key_id}]
    assert found.is_valid


def test_keys_may_have_any_name(upstream: RecordingUpstream, signer: P256Signer) -> None:
    """npm's own are digests; those of other registries need not be."""
    upstream.state.keys[0]["keyid"] = "key-of-2020"
    sign(upstream, signer, keyid="key-of-2020")
    assert states(upstream) == ["valid"]


def test_unknown_key(upstream: RecordingUpstream) -> None:
    """The upstream has keys, and this is none of them."""
    sign(upstream, P256Signer())
    assert states(upstream) == ["unknown-key"]


@pytest.mark.parametrize(
    ("expires", "state"),
    [
        pytest.param("2020-01-01T00:00:00.001Z", "valid", id="later"),
        pytest.param("2020-01-01T02:00:00+01:00", "valid", id="later, with an offset"),
        pytest.param(PUBLISHED, "expired-key", id="the same moment"),
        pytest.param("2019-12-31T00:00:00Z", "expired-key", id="before"),
        pytest.param("never", "expired-key", id="no time"),
        pytest.param(1, "expired-key", id="a number"),
        pytest.param(None, "valid", id="never"),
    ],
)
def test_expiry_is_compared_with_the_publish(upstream: RecordingUpstream, expires: Any, state: str) -> None:
    """What was published before a key expired stays good, as npm has it."""
    upstream.state.keys[0]["expires"] = expires
    assert states(upstream) == [state]


def test_expired_key_without_a_time_of_publish(upstream: RecordingUpstream) -> None:
    """Nobody can say that it was good then."""
    upstream.state.keys[0]["expires"] = "2030-01-01T00:00:00Z"
    del upstream.state.packuments["axios"]["time"]["1.0.0"]
    assert states(upstream) == ["expired-key"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"integrity": "sha512-AAAA"}, id="another integrity"),
        pytest.param({"signatures": "sig"}, id="no base64"),
        pytest.param({"signatures": "A" * 2000}, id="long"),
        pytest.param({"signatures": 7}, id="a number"),
        pytest.param({"signatures": None}, id="nothing"),
    ],
)
def test_wrong_signature(upstream: RecordingUpstream, change: dict[str, Any]) -> None:
    """Over other bytes, or none at all."""
    if "signatures" in change:
        dist_of(upstream)["signatures"][0]["sig"] = change["signatures"]
    else:
        dist_of(upstream).update(change)
    assert states(upstream) == ["wrong"]


def test_signature_of_another_package(upstream: RecordingUpstream, signer: P256Signer) -> None:
    """Whoever copies an entry gains nothing by it."""
    sign(upstream, signer, name="lodash")
    assert states(upstream) == ["wrong"]


def test_one_bad_signature_spoils_the_good_one(upstream: RecordingUpstream) -> None:
    """Each is told."""
    dist_of(upstream)["signatures"].append({"keyid": "other", "sig": "AAAA"})
    found = report(upstream)
    assert [one.state for one in found.signatures] == ["valid", "unknown-key"]
    assert not found.is_valid


@pytest.mark.parametrize("entries", [None, [], {}, "signed", 1], ids=repr)
def test_no_signature(upstream: RecordingUpstream, entries: Any) -> None:
    """Nothing is said to be good, and no keys are asked for."""
    dist_of(upstream)["signatures"] = entries
    found = report(upstream)
    assert (list(found.signatures), found.obstacle, found.is_valid) == ([], "", False)
    assert upstream.asked("/-/npm/v1/keys") == []


@pytest.mark.parametrize("entry", [None, 1, "x", [], {}, {"keyid": 1, "sig": 1}, {"keyid": "k" * 10**5}], ids=str)
def test_entries_that_are_none(upstream: RecordingUpstream, entry: Any) -> None:
    """They name no key."""
    dist_of(upstream)["signatures"] = [entry]
    (found,) = report(upstream).signatures
    assert found.state == "unknown-key"
    assert len(found.key) <= 200


def test_many_entries(upstream: RecordingUpstream) -> None:
    """Only the first ones are looked at."""
    dist_of(upstream)["signatures"] *= 1000
    assert len(report(upstream).signatures) == registry_signatures.MAX_SIGNATURES


def test_without_integrity(upstream: RecordingUpstream) -> None:
    """There is nothing to compare with."""
    del dist_of(upstream)["integrity"]
    assert report(upstream).obstacle == NO_INTEGRITY


KEYS = "/-/npm/v1/keys"


@pytest.mark.parametrize(
    ("reply", "obstacle"),
    [
        pytest.param(Reply(404), NO_KEYS, id="absent"),
        pytest.param(Reply(200, b'{"keys": []}'), NO_KEYS, id="none"),
        pytest.param(Reply(200, b'{"keys": {"a": 1}}'), NO_KEYS, id="no list"),
        pytest.param(Reply(200, b'{"keys": [1, "x", null, {}, {"keyid": 3}]}'), NO_KEYS, id="no keys"),
        pytest.param(Reply(200, b'{"keys": [' + b"0," * 10**6 + b"0]}"), NO_KEYS, id="a million"),
        pytest.param(Reply(200, b'{"keys": [' + b"[" * 10**5 + b"]" * 10**5 + b"]}"), UNAVAILABLE, id="deep"),
        pytest.param(Reply(200, b'{"keys": [{"keyid": "' + b"k" * 10**5 + b'"}]}'), NO_KEYS, id="a large one"),
        pytest.param(Reply(200, b"<html>"), UNAVAILABLE, id="no JSON"),
        pytest.param(Reply(500), UNAVAILABLE, id="an error"),
        pytest.param(Reply(200, b'{"keys": ["' + b"x" * 17 * 2**20 + b'"]}'), UNAVAILABLE, id="too long to be read"),
    ],
)
def test_keys_that_are_none(upstream: RecordingUpstream, reply: Reply, obstacle: str) -> None:
    """The version is not called wrong for them: it could not be checked."""
    upstream.on("GET", KEYS, reply)
    found = report(upstream)
    assert (list(found.signatures), found.obstacle) == ([], obstacle)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"key": "AAAA"}, id="no key"),
        pytest.param({"key": 1}, id="a number"),
        pytest.param({"keytype": "ed25519"}, id="another type"),
        pytest.param({"keytype": None}, id="no type"),
    ],
)
def test_key_of_the_right_name_that_is_none(upstream: RecordingUpstream, change: dict[str, Any]) -> None:
    """Nothing fits it."""
    upstream.state.keys[0].update(change)
    assert states(upstream) == ["wrong"]


def test_keys_are_asked_for_once(upstream: RecordingUpstream, tmp_path: Path) -> None:
    """They are kept with the packuments."""
    tenants = PlatformFixture(upstream=gateway(upstream, tmp_path))
    firewall = tenants.platform.firewall("acme")
    assert firewall is not None
    package = reviewed(firewall, parse_name("axios"))
    for _ in range(3):
        assert signature_report(firewall.unruled, package, "1.0.0").is_valid
    assert len(upstream.asked(KEYS)) == 1


def gateway(upstream: RecordingUpstream, folder: Path) -> Gateway:
    transport = transport_to(upstream.url)
    assert transport is not None
    return gateway_to(transport, str(folder / uuid.uuid4().hex))
