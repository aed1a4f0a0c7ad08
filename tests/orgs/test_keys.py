"""The signing keys of an organization."""

import base64
import logging
import os
import threading

import orjson
import pytest
from support.events import recorded

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Conflict, StorageUnavailable
from nproxy_mw.orgs.keys import OVERLAP, KeyStore
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.signing import ED25519, P256, verify
from nproxy_mw.times import timestamp

SEAL = Seal(bytes(range(32)))
SEALS = [pytest.param(None, id="unsealed"), pytest.param(SEAL, id="sealed")]


@pytest.fixture
def store(storage, trail, clock):
    return lambda seal=None: KeyStore(storage, trail=trail, seal=seal, clock=clock)


def ids(signers):
    return [signer.key_id for signer in signers]


@pytest.mark.parametrize("seal", SEALS)
def test_keys_are_made_at_first_need(store, storage, trail, actor, seal):
    """There are no keys until somebody signs; then there is one of each kind, and it is told of."""
    keys = store(seal)
    assert (keys.public_keys(), list(storage.list())) == ([], [])
    keys.check()
    signers = keys.signers(actor=actor)
    assert [signer.algorithm for signer in signers] == [ED25519, P256]
    assert [event["keyId"] for event in trail.chain()] == ids(signers)
    assert recorded(trail) == ["key.created"] * 2
    assert keys.checkpoint_signer(actor=actor).algorithm == ED25519


@pytest.mark.parametrize("seal", SEALS)
def test_keys_are_the_same_for_every_process(store, actor, seal):
    """Another process signs with the same keys."""
    assert ids(store(seal).signers(actor=actor)) == ids(store(seal).signers(actor=actor))


def test_listed_keys_verify(store, actor):
    """What is signed verifies with the keys as listed."""
    keys = store()
    for signer, record in zip(keys.signers(actor=actor), keys.public_keys(), strict=True):
        assert verify(record, b"x", signer.sign(b"x"))
        assert record["expires"] is None


def test_two_at_once_make_one_pair(storage, clock):
    """Processes that need the first keys at once end with the same pair, told of once."""
    found = []

    def need():
        trail = Trail(storage, org="acme", clock=clock)
        found.append(tuple(ids(KeyStore(storage, trail=trail, clock=clock).signers(actor=Actor()))))

    threads = [threading.Thread(target=need) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert recorded(Trail(storage, org="acme")) == ["key.created"] * 2


@pytest.mark.parametrize("seal", SEALS)
def test_rotation_keeps_old_signatures_valid(store, clock, trail, actor, seal):
    """After a rotation new keys sign; the old are listed behind, good for what was published before they expire."""
    keys = store(seal)
    old = keys.signers(actor=actor)
    signature = old[0].sign(b"x")
    clock.forward(days=1)
    new = keys.rotate(actor=actor)
    assert not set(ids(new)) & set(ids(old))
    listed = keys.public_keys()
    assert [record["keyid"] for record in listed] == [*ids(new), *ids(old)]
    assert [record["expires"] for record in listed] == [None, None, *[timestamp(clock.now + OVERLAP)] * 2]
    assert verify(listed[2], b"x", signature)
    assert recorded(trail) == ["key.created"] * 2 + ["key.rotated"] + ["key.created"] * 2
    assert trail.chain()[2]["keyIds"] == ids(old)


def test_second_rotation_leaves_expiries_alone(store, clock, actor):
    """A key that has an expiry keeps it."""
    keys = store()
    keys.signers(actor=actor)
    keys.rotate(actor=actor)
    before = keys.public_keys()[2:]
    clock.forward(days=30)
    keys.rotate(actor=actor)
    assert keys.public_keys()[4:] == before


def test_rotated_private_key_is_dropped(store, storage, actor):
    """A key that no longer signs has no private part in the storage."""
    keys = store()
    old = keys.signers(actor=actor)
    keys.rotate(actor=actor)
    kept = base64.b64decode(orjson.loads(storage.read("keys.json").data)["private"]["data"])
    assert all(base64.b64encode(signer.private()) not in kept for signer in old)


@pytest.mark.parametrize(
    ("made", "opened", "sentence"),
    [
        pytest.param(SEAL, None, "set NPROXY_SEAL_KEY", id="no seal"),
        pytest.param(SEAL, Seal(os.urandom(32)), "cannot be opened", id="wrong seal"),
        pytest.param(None, SEAL, "unsealed although", id="unsealed keys"),
    ],
)
def test_start_with_another_seal_is_refused(store, actor, made, opened, sentence):
    """Keys that cannot be opened are found at start and at a signature, with a sentence that names the cure."""
    store(made).signers(actor=actor)
    keys = store(opened)
    for attempt in (keys.check, lambda: keys.signers(actor=actor)):
        with pytest.raises(StorageUnavailable, match=sentence):
            attempt()


def test_public_keys_need_no_seal(store, actor):
    """A process without the seal cannot sign, and can still list the keys to verify with."""
    signers = store(SEAL).signers(actor=actor)
    assert [record["keyid"] for record in store().public_keys()] == ids(signers)


@pytest.mark.parametrize("made", SEALS)
def test_rotation_is_the_way_to_another_seal(store, actor, made):
    """New keys can be made under a new seal without opening the old."""
    store(made).signers(actor=actor)
    seal = Seal(os.urandom(32))
    store(seal).rotate(actor=actor)
    store(seal).check()
    assert len(store(seal).public_keys()) == 4


def test_rotation_does_not_unseal_by_accident(store, storage, actor):
    """Without its seal, a sealed ring is rotated only when that is asked for, and nothing is written before."""
    store(SEAL).signers(actor=actor)
    before = storage.read("keys.json")
    with pytest.raises(Conflict, match="--unseal"):
        store().rotate(actor=actor)
    assert storage.read("keys.json") == before
    signers = store().rotate(actor=actor, unseal=True)
    assert ids(store().signers(actor=actor)) == ids(signers)


def altered(document, how, other):
    if how == "added":
        document["keys"].append(other["keys"][0])
    elif how == "replaced":
        document["keys"] = other["keys"]
    elif how == "swapped":
        document["private"] = other["private"]
    elif how == "other organization's":
        document = other
    elif how == "unsealed":
        document["private"] = {"sealed": False, "data": ""}
    else:
        document["keys"][0]["expires"] = "2020-01-01T00:00:00.000Z"
    return orjson.dumps(document)


@pytest.mark.parametrize("how", ["added", "replaced", "swapped", "other organization's", "unsealed", "expired"])
def test_altered_sealed_keys_are_found(store, storage, clock, actor, how):
    """Whoever alters sealed keys in the storage without the seal is found: neither listed nor used."""
    store(SEAL).signers(actor=actor)
    elsewhere = KeyStore(storage, trail=Trail(storage, org="evil", clock=clock), seal=SEAL, clock=clock)
    own = storage.read("keys.json").data
    elsewhere.rotate(actor=actor)
    stored = storage.read("keys.json")
    other = orjson.loads(stored.data)
    storage.replace("keys.json", altered(orjson.loads(own), how, other), stored.revision)
    keys = store(SEAL)
    for attempt in (keys.check, keys.public_keys):
        with pytest.raises(StorageUnavailable, match=r"altered|unsealed"):
            attempt()


@pytest.mark.parametrize("field", ["org", "keys", "private"])
def test_altered_unsealed_keys_are_damaged(store, storage, actor, field):
    """Unsealed keys whose private part does not fit the public one, or the organization, are not used."""
    store().signers(actor=actor)
    stored = storage.read("keys.json")
    document = orjson.loads(stored.data)
    secret = orjson.loads(base64.b64decode(document["private"]["data"]))
    fresh = {"ed25519": base64.b64encode(os.urandom(32)).decode()}
    secret |= {"org": "other"} if field == "org" else {"keys": []} if field == "keys" else {}
    if field == "private":
        secret["private"] |= fresh
    document["private"]["data"] = base64.b64encode(orjson.dumps(secret)).decode()
    storage.replace("keys.json", orjson.dumps(document), stored.revision)
    with pytest.raises(StorageUnavailable, match="damaged"):
        store().signers(actor=actor)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b'{"format":1}',
        b'{"format":1,"keys":[],"private":{"sealed":false,"data":"e30="},"events":[]}',
        b'{"format":1,"keys":[],"private":{"sealed":false,"data":"?"},"events":[]}',
    ],
)
def test_damaged_keys_are_not_made_anew(store, storage, actor, stored):
    """Damaged keys are an error: new ones in their place would make every old signature unknown."""
    storage.create("keys.json", stored)
    with pytest.raises(StorageUnavailable, match="damaged"):
        store().signers(actor=actor)
    assert storage.read("keys.json").data == stored


def test_pending_events_are_appended_by_the_next_change(store, storage, trail, actor):
    """Keys that are stored sign, also when the trail cannot be written: the events follow."""
    keys = store()
    storage.broken["create", "audit/administration"] = StorageUnavailable("full")
    assert len(keys.signers(actor=actor)) == 2
    storage.broken.clear()
    keys.rotate(actor=actor)
    assert recorded(trail) == ["key.created"] * 2 + ["key.rotated"] + ["key.created"] * 2


@pytest.mark.parametrize("text", [bytes(range(32)).hex(), base64.b64encode(bytes(range(32))).decode() + "\n"])
def test_seal_is_read_from_text(text):
    """A seal key is given in hex or base64."""
    assert Seal.from_text(text).unseal(SEAL.seal(b"x")) == b"x"


@pytest.mark.parametrize(
    "text", ["", "abc", "ab" * 31, "é" * 32, base64.b64encode(b"x" * 31).decode(), "correct horse"]
)
def test_bad_seal_key_is_refused_unseen(text):
    """A text that is no seal key is refused, without being quoted."""
    with pytest.raises(ValueError, match="32 bytes") as caught:
        Seal.from_text(text)
    assert not text or text not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("seal", SEALS)
def test_private_keys_are_nowhere_they_should_not_be(store, storage, trail, actor, caplog, seal):
    """No event, listing, repr or log line holds a private key; sealed, no stored object does."""
    keys = store(seal)
    with caplog.at_level(logging.DEBUG):
        signers = (*keys.signers(actor=actor), *keys.rotate(actor=actor))
    places = [repr(trail.chain()), repr(keys.public_keys()), repr(vars(keys)), repr(signers), caplog.text]
    places += [repr(keys._rings.get("keys.json")), repr(seal)]
    objects = [storage.read(key).data.decode() for key in storage.list() if seal or key != "keys.json"]
    for signer in signers:
        private = signer.private()
        for spelling in (private.hex(), base64.b64encode(private).decode(), repr(private)):
            assert not any(spelling in place for place in [*places, *objects])
