"""The verification of the audit trail, and the checkpoints over it."""

import base64

import orjson
import pytest
from support.events import event

from nproxy_mw import signing
from nproxy_mw.audit import events, index, verify
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.trail import ADMINISTRATION
from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.orgs.keys import KeyStore
from nproxy_mw.signing import public_record
from nproxy_mw.signing.keys import Ed25519Signer, P256Signer


class Organization:
    """An organization with an administration of three events and two packages of three, two checkpoints over it."""

    def __init__(self, storage, trail, clock, actor):
        self.storage, self.trail, self.clock, self.actor = storage, trail, clock, actor
        self.keys = KeyStore(storage, trail=trail, clock=clock)
        self.checkpoints = Checkpoints(storage, org="acme", clock=clock)
        self.signer = self.keys.checkpoint_signer(actor=actor)
        for package in ("@acme/one", "@acme/two"):
            self.publish(package, 3)
        self.checkpoint()
        trail.record("settings.changed", actor)
        self.publish("@acme/one", 1)
        self.checkpoint()

    def publish(self, package, times):
        key = f"packages/{package}/record.json"
        for _ in range(times):
            made = event(self.trail, self.actor, "package.published", package=package)
            if key not in set(self.storage.list()):
                self.storage.create(key, orjson.dumps({"chain": []}))
            chain = events.extend(self.chain(key), [made])
            self.write(key, {"chain": chain})
            self.trail.index(chain, len(chain) - 1)

    def checkpoint(self):
        self.clock.forward(days=1)
        return self.checkpoints.take(verify.all_chains(self.trail), self.signer)

    def chain(self, key):
        return orjson.loads(self.storage.read(key).data)["chain"]

    def write(self, key, document):
        data = document if isinstance(document, bytes) else orjson.dumps(document)
        self.storage.replace(key, data, self.storage.read(key).revision)

    def write_chain(self, key, chain):
        self.write(key, orjson.loads(self.storage.read(key).data) | {"chain": chain})

    def findings(self, *, keys=None, witness=None):
        keys = self.keys.public_keys() if keys is None else keys
        chains = verify.all_chains(self.trail)
        return [str(finding) for finding in verify.verify(self.trail, chains, self.checkpoints, keys, witness=witness)]


@pytest.fixture
def org(storage, trail, clock, actor):
    return Organization(storage, trail, clock, actor)


ADMIN = "audit/administration.json"
ONE = "packages/@acme/one/record.json"
FIRST = "audit/checkpoints/00000001.json"
SECOND = "audit/checkpoints/00000002.json"


def test_untouched_trail_has_no_findings(org):
    """A trail as it was written has nothing to find, also after more was written and keys were rotated."""
    assert org.findings() == []
    org.keys.rotate(actor=org.actor)
    org.publish("@acme/three", 1)
    org.signer = org.keys.checkpoint_signer(actor=org.actor)
    assert org.checkpoint()
    assert org.findings() == []


@pytest.mark.parametrize("key", [pytest.param(ADMIN, id="administration"), pytest.param(ONE, id="package")])
@pytest.mark.parametrize(
    ("how", "found"),
    [
        pytest.param(lambda chain: [chain[0] | {"ip": "::1"}, *chain[1:]], "was edited", id="edited"),
        pytest.param(lambda chain: [chain[0], *chain[2:]], "does not follow", id="dropped"),
        pytest.param(lambda chain: chain[1:], "does not follow", id="first dropped"),
        pytest.param(lambda chain: [chain[1], chain[0], *chain[2:]], "does not follow", id="reordered"),
        pytest.param(lambda chain: [*chain, chain[0]], "twice", id="repeated"),
        pytest.param(lambda chain: [*chain, None], "not an event", id="rubbish"),
        pytest.param(lambda chain: chain[:-1], "end was cut off", id="end cut off"),
        pytest.param(lambda chain: [], "end was cut off", id="emptied"),
        pytest.param(
            lambda chain: events.extend([], [event | {"ip": "::1"} for event in chain]), "rewritten", id="rewritten"
        ),
    ],
)
def test_tampered_chain_is_found(org, key, how, found):
    """Editing, dropping, reordering, repeating, cutting off or rewriting events is found, in whatever chain."""
    org.write_chain(key, how(org.chain(key)))
    name = ADMINISTRATION if key == ADMIN else "@acme/one"
    assert any(found in finding and finding.startswith(name) for finding in org.findings())


def test_cut_and_regrown_chain_is_found(org):
    """A chain that was cut and has grown again is not what the checkpoints saw."""
    chain = org.chain(ONE)[:2]
    more = [event(org.trail, org.actor, "package.published", package="@acme/one") for _ in range(5)]
    org.write_chain(ONE, events.extend(chain, more))
    assert any("rewritten" in finding for finding in org.findings())


def test_dropped_chain_is_found(org):
    """A package's record that was removed whole is missed by the checkpoints, and its events by the index."""
    org.storage.delete(ONE)
    findings = org.findings()
    assert "@acme/one: the chain is gone: a checkpoint saw it" in findings
    assert sum("no chain holds this event" in finding for finding in findings) == 4


def test_damaged_record_is_found(org):
    """A record that cannot be read is a finding, not an exception."""
    org.write(ONE, b"\xff")
    assert any("not an event" in finding for finding in org.findings())


def test_damaged_administration_is_found(org):
    """An administration's chain that cannot be read is a finding, not an exception."""
    org.write(ADMIN, b"\xff")
    assert "administration, event 1: this is not an event" in org.findings()


@pytest.mark.parametrize(("member", "value"), [("org", "other"), ("package", "@acme/two")])
def test_chain_of_another_place_is_found(org, member, value):
    """A sound chain that tells of another organization or package does not belong here."""
    made = event(org.trail, org.actor, "package.published", package="@acme/new") | {member: value}
    org.storage.create("packages/@acme/new/record.json", orjson.dumps({"chain": events.extend([], [made])}))
    assert any("another organization or package" in finding for finding in org.findings())


def test_index_is_held_against_the_chains(org):
    """An entry that is missing, altered, damaged or of no chain is found; reindex mends what the chains can tell."""
    keys = [index.index_key([event]) for event in org.chain(ONE)]
    org.storage.delete(keys[0])
    org.write(keys[1], orjson.loads(org.storage.read(keys[1]).data) | {"ip": "::1"})
    org.write(keys[2], b"\xff")
    alien = event(org.trail, org.actor, "package.published", package="@acme/one")
    index.write(org.storage, [alien])
    findings = org.findings()
    for found, times in (("lacks", 1), ("differently", 2), ("no chain holds", 1)):
        assert sum(found in finding for finding in findings) == times
    assert verify.reindex(org.trail, verify.all_chains(org.trail)) == 3
    assert [finding for finding in org.findings() if "no chain" not in finding] == []
    assert verify.reindex(org.trail, verify.all_chains(org.trail)) == 0


def test_unreachable_storage_is_no_finding(org):
    """That the storage cannot be read is an error: it must not look like tampering, nor like a sound trail."""
    org.storage.broken["read", "administration"] = StorageUnavailable("away")
    with pytest.raises(StorageUnavailable, match="away"):
        org.findings()


def test_record_removed_meanwhile_is_told_by_the_checkpoints(org):
    """A record that vanishes while the chains are read is missed, not stumbled over."""
    org.storage.broken["read", "one/record.json"] = Missing("gone")
    assert "@acme/one: the chain is gone: a checkpoint saw it" in org.findings()


def test_other_objects_of_a_package_are_passed_over(org):
    """Only records have chains."""
    org.storage.create("packages/@acme/one/note.json", b"{}")
    org.storage.create("packages/@acme/rubbish/record.json", b'{"chain":5}')
    assert [finding for finding in org.findings() if "rubbish" not in finding] == []


def test_flawed_events_are_not_indexed(org):
    """What was tampered with in a chain is not copied into the index."""
    chain = org.chain(ONE)
    org.write_chain(ONE, [chain[0] | {"ip": "::1"}, *chain[1:]])
    assert verify.reindex(org.trail, verify.all_chains(org.trail)) == 0


def test_events_written_meanwhile_are_no_findings(org):
    """Publishing while a verification runs gives no false alarm."""

    def chains():
        yield from verify.all_chains(org.trail)
        org.publish("@acme/late", 2)
        org.checkpoint()
        yield "@acme/late", org.chain("packages/@acme/late/record.json")

    assert list(verify.verify(org.trail, chains(), org.checkpoints, org.keys.public_keys())) == []


def edited(org, key, **changes):
    document = orjson.loads(org.storage.read(key).data)
    document["checkpoint"] |= changes
    org.write(key, document)
    return document


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        pytest.param(SECOND, {"heads": {}}, id="heads"),
        pytest.param(FIRST, {"time": "2020-01-01T00:00:00.000Z"}, id="time"),
    ],
)
def test_edited_checkpoint_is_found(org, key, changes):
    """A checkpoint cannot be edited."""
    edited(org, key, **changes)
    assert any(finding.startswith(key) and "edited" in finding for finding in org.findings())


def test_checkpoint_signed_by_a_stranger_is_found(org):
    """A checkpoint that was edited and signed anew with another key is not the organization's."""
    stranger = Ed25519Signer()
    document = edited(org, SECOND, heads={})
    signature = base64.b64encode(stranger.sign(events.canonical(document["checkpoint"]))).decode()
    org.write(SECOND, document | {"keyid": stranger.key_id, "sig": signature})
    assert any("not the organization's" in finding for finding in org.findings())


def test_checkpoint_signed_by_a_key_of_another_kind_is_found(org):
    """The organization's P-256 key signs for npm, and signs no checkpoints."""
    other = P256Signer()
    document = edited(org, SECOND, heads={})
    signature = base64.b64encode(other.sign(events.canonical(document["checkpoint"]))).decode()
    org.write(SECOND, document | {"keyid": other.key_id, "sig": signature})
    keys = [*org.keys.public_keys(), public_record(signing.P256, other.public)]
    assert f"{SECOND}: this checkpoint is signed with a key that is not the organization's" in org.findings(keys=keys)


def test_checkpoint_that_follows_no_other_is_found(org):
    """Each holds the hash of the one before it: one that was made anew, with the right key, does not."""
    document = edited(org, SECOND, previous="0" * 64)
    signature = base64.b64encode(org.signer.sign(events.canonical(document["checkpoint"]))).decode()
    org.write(SECOND, document | {"sig": signature})
    assert f"{SECOND}: this checkpoint does not follow the one before it" in org.findings()


def test_key_expires_at_the_moment_that_it_says(org):
    """A checkpoint of exactly that time is too late."""
    moment = orjson.loads(org.storage.read(SECOND).data)["checkpoint"]["time"]
    findings = org.findings(keys=[public_record(signing.ED25519, org.signer.public, moment)])
    assert [finding for finding in findings if "had expired" in finding] == [
        f"{SECOND}: this checkpoint is signed with a key that had expired"
    ]


def test_checkpoint_of_an_expired_key_is_found(org):
    """A key that has expired signs no checkpoints any more."""
    keys = [public_record(signing.ED25519, org.signer.public, "2026-11-24T00:00:00.000Z")]
    findings = org.findings(keys=keys)
    assert [finding for finding in findings if "had expired" in finding] == [
        f"{SECOND}: this checkpoint is signed with a key that had expired"
    ]


def test_moved_checkpoint_is_found(org):
    """A sound checkpoint in another one's place is found."""
    org.write(SECOND, org.storage.read(FIRST).data)
    assert any(finding.startswith(SECOND) and "another organization or number" in finding for finding in org.findings())


def test_missing_checkpoint_is_found(org):
    """A checkpoint removed from between is missed."""
    org.checkpoint()
    org.storage.delete(SECOND)
    assert f"{SECOND}: this checkpoint is missing" in org.findings()


def test_damaged_checkpoint_is_found(org):
    """A checkpoint that cannot be read is a finding, not an exception."""
    org.write(SECOND, b"{}")
    assert any(finding.startswith(SECOND) and "damaged" in finding for finding in org.findings())


def test_removed_newest_checkpoint_is_found_by_a_witness(org):
    """Only a copy kept elsewhere tells that the newest checkpoints are gone, or that all of them were made anew."""
    witness = org.checkpoints.newest()
    org.storage.delete(SECOND)
    assert org.findings() == []
    assert len(org.findings(witness=witness)) == 1
    org.checkpoint()
    assert len(org.findings(witness=witness)) == 1


def test_witness_of_a_sound_trail_is_content(org):
    """A copy kept elsewhere fits also after more checkpoints were taken."""
    witness = org.checkpoints.newest()
    org.checkpoint()
    assert org.findings(witness=witness) == []
    assert witness["number"] == 2


def test_checkpoint_taken_at_once_by_two_is_taken_once(org):
    """Of two processes that take the same checkpoint one writes it, and the other is content."""

    def chains():
        yield from verify.all_chains(org.trail)
        assert org.checkpoint()

    assert org.checkpoints.take(chains(), org.signer) is False
    assert org.findings() == []


def test_checkpoint_needs_ed25519(org):
    """A checkpoint is signed with the organization's own signature alone."""
    with pytest.raises(ValueError, match="Ed25519"):
        org.checkpoints.take([], P256Signer())


def test_no_checkpoints_at_all_are_none(storage, clock):
    """Before the first checkpoint there is none to show."""
    checkpoints = Checkpoints(storage, org="acme", clock=clock)
    assert checkpoints.newest() is None
