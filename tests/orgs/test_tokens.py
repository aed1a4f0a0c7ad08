"""API tokens on storage."""

import logging
from datetime import datetime, timedelta

import orjson
import pytest
from support.events import recorded
from support.logs import messages_of

from nproxy_mw import token_format
from nproxy_mw.access import Grant, Principal
from nproxy_mw.errors import BadRequest, Changed, Missing, NotFound, StorageUnavailable
from nproxy_mw.orgs import token_records
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.orgs.tokens import LAST_USE, StaticTokens, TokenStore
from nproxy_mw.restrictions import Restrictions, parse_addresses, parse_packages
from nproxy_mw.storage.layout import TOKEN

BOTH = [Grant.PROXY, Grant.PUBLISH]
BROKEN = StorageUnavailable("The storage is full.")


@pytest.fixture
def tokens(storage, trail, clock):
    return TokenStore(storage, trail=trail, clock=clock)


def test_created_token_is_found(tokens, actor):
    """Whoever holds the plaintext is the principal the record describes."""
    secret, record = tokens.create("ci", ["publish"], actor=actor)
    assert tokens.find(secret) == Principal("ci", frozenset({Grant.PUBLISH}), record.id, token_format.digest(secret))
    assert token_format.is_wellformed(secret)


def test_token_is_found_by_another_process(tokens, storage, trail, clock, actor):
    """Nothing but the storage is shared: another store finds the token."""
    secret, record = tokens.create("ci", BOTH, actor=actor)
    other = TokenStore(storage, trail=trail, clock=clock)
    assert other.find(secret).token_id == record.id


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(token_format.make_secret(), id="unknown"),
        pytest.param("", id="empty"),
        pytest.param("nproxy_../../settings", id="path"),
        pytest.param("nproxy_" + "é" * 49, id="not ascii"),
        pytest.param("npm_" + "a" * 36, id="npm's"),
    ],
)
def test_other_text_is_nobody(tokens, secret):
    """What is no token of this store is nobody."""
    assert tokens.find(secret) is None


def test_mistyped_token_asks_no_storage(tokens, storage, actor):
    """A token with a wrong checksum is refused without a look-up."""
    secret, _ = tokens.create("ci", BOTH, actor=actor)
    storage.calls.clear()
    assert tokens.find(secret[:-1] + ("a" if secret[-1] != "a" else "b")) is None
    assert storage.calls == []


def test_hot_token_costs_one_look(tokens, storage, actor):
    """A token in use costs one question whether its record changed, and no write."""
    secret, _ = tokens.create("ci", BOTH, actor=actor)
    tokens.find(secret)
    tokens.find(secret)
    storage.calls.clear()
    for _ in range(5):
        assert tokens.find(secret)
    assert [verb for verb, _ in storage.calls] == ["read_if_changed"] * 5


def test_token_expires(tokens, clock, actor):
    """A token opens everything until its expiry, and nothing from then on."""
    secret, _ = tokens.create("ci", BOTH, actor=actor, expires_at=clock.now + timedelta(days=1))
    clock.forward(hours=23, minutes=59)
    assert tokens.find(secret)
    clock.forward(minutes=1)
    assert tokens.find(secret) is None


def test_revoked_token_ends_at_once_everywhere(tokens, storage, trail, clock, actor):
    """A revoked token is nobody in the next look-up, here and in another process."""
    other = TokenStore(storage, trail=trail, clock=clock)
    secret, record = tokens.create("ci", BOTH, actor=actor)
    assert other.find(secret)
    tokens.revoke(record.id, actor=actor)
    assert tokens.find(secret) is None
    assert other.find(secret) is None


def test_revoking_leaves_others_alone(tokens, actor):
    """Tokens are revoked one by one."""
    first, record = tokens.create("one", BOTH, actor=actor)
    second, _ = tokens.create("one", BOTH, actor=actor)
    tokens.revoke(record.id, actor=actor)
    assert (tokens.find(first), bool(tokens.find(second))) == (None, True)


@pytest.mark.parametrize("token_id", ["", "0" * 16, "0" * 64, "../settings", "x"])
def test_unknown_id_is_not_found(tokens, actor, token_id):
    """An identifier of no token is 404, whatever it looks like."""
    tokens.create("ci", BOTH, actor=actor)
    with pytest.raises(NotFound):
        tokens.revoke(token_id, actor=actor)


def test_token_is_revoked_by_its_whole_hash(tokens, actor):
    """The hash that audit events name a token by revokes it too."""
    secret, _ = tokens.create("ci", BOTH, actor=actor)
    tokens.revoke(token_format.digest(secret), actor=actor)
    assert tokens.find(secret) is None


def test_second_revocation_is_not_found(tokens, trail, actor):
    """A revoked token cannot be revoked again, and is told of once."""
    _, record = tokens.create("ci", BOTH, actor=actor)
    tokens.revoke(record.id, actor=actor)
    with pytest.raises(NotFound):
        tokens.revoke(record.id, actor=actor)
    assert recorded(trail) == ["token.created", "token.revoked"]


def test_list_is_newest_first(tokens, clock, actor):
    """Tokens are listed newest first; the revoked only when asked for."""
    records = []
    for name in ("a", "b", "c"):
        records.append(tokens.create(name, ["proxy"], actor=actor)[1])
        clock.forward(seconds=1)
    tokens.revoke(records[1].id, actor=actor)
    assert [record.name for record in tokens.list()] == ["c", "a"]
    assert [record.name for record in tokens.list(revoked=True)] == ["c", "b", "a"]


def test_record_as_shown(tokens, actor):
    """What the management API shows names neither the plaintext nor the hash."""
    secret, record = tokens.create("ci", BOTH, actor=actor)
    assert record.to_document() == {
        "id": token_format.digest(secret)[:16],
        "name": "ci",
        "scopes": ["proxy", "publish"],
        "packages": None,
        "addresses": None,
        "createdAt": "2026-11-22T12:00:00.000Z",
        "expiresAt": None,
        "lastUsedAt": None,
        "revokedAt": None,
    }


@pytest.mark.parametrize(
    ("name", "grants", "expires_at"),
    [
        pytest.param("", BOTH, None, id="no name"),
        pytest.param("   ", BOTH, None, id="blank name"),
        pytest.param("x" * 101, BOTH, None, id="long name"),
        pytest.param("a\nb", BOTH, None, id="newline"),
        pytest.param("a\x1b[31m", BOTH, None, id="escape"),
        pytest.param("\ud800", BOTH, None, id="surrogate"),
        pytest.param(5, BOTH, None, id="number"),
        pytest.param("ci", [], None, id="no scopes"),
        pytest.param("ci", ["admin"], None, id="unknown scope"),
        pytest.param("ci", "proxy", None, id="text for a list"),
        pytest.param("ci", [["proxy"]], None, id="nested"),
        pytest.param("ci", 7, None, id="number for a list"),
        pytest.param("ci", BOTH, datetime.fromisoformat("2026-11-22T12:00:00+00:00"), id="expires now"),
        pytest.param("ci", BOTH, datetime(2027, 1, 1), id="expiry without a zone"),  # noqa: DTZ001
    ],
)
def test_bad_wish_is_refused(tokens, storage, trail, actor, name, grants, expires_at):
    """What will not do is refused, and nothing is stored or told."""
    with pytest.raises(BadRequest):
        tokens.create(name, grants, actor=actor, expires_at=expires_at)
    assert list(storage.list()) == []


def test_events_name_token_and_actor(tokens, trail, actor):
    """The trail says which token, with what scopes, and by whom."""
    _, record = tokens.create("ci", BOTH, actor=actor)
    tokens.revoke(record.id, actor=actor)
    created, revoked = trail.chain()
    assert created["token"] == {
        "id": record.id,
        "hash": record.hash,
        "name": "ci",
        "scopes": ["proxy", "publish"],
        "expiresAt": None,
    }
    assert (created["by"], revoked["by"], revoked["token"]["id"]) == ("ann", "ann", record.id)


def test_last_use_is_written_once_an_hour(tokens, storage, clock, actor):
    """The last use is coarse: one write an hour, however often the token is used."""
    secret, record = tokens.create("ci", BOTH, actor=actor)
    storage.calls.clear()
    for _ in range(8):
        tokens.find(secret)
        clock.forward(minutes=15)
    assert [verb for verb, _ in storage.calls if verb == "replace"] == ["replace"] * 2
    assert tokens.list()[0].last_used_at >= record.created_at + LAST_USE


def test_failing_last_use_refuses_nobody(tokens, storage, actor, caplog):
    """On a storage that takes no writes tokens work on, and the failure is tried and logged once an hour."""
    secret, _ = tokens.create("ci", BOTH, actor=actor)
    storage.broken["replace", "tokens/"] = BROKEN
    storage.calls.clear()
    with caplog.at_level(logging.WARNING):
        assert all(tokens.find(secret) for _ in range(5))
    assert [verb for verb, _ in storage.calls].count("replace") == 1
    assert len(messages_of(caplog, "nproxy_mw.orgs.tokens")) == 1
    assert secret not in caplog.text


def test_token_that_is_stored_is_made(tokens, storage, trail, actor):
    """A token works, also when the trail cannot be written: its event follows with the next change of it."""
    storage.broken["create", "audit/administration"] = BROKEN
    secret, record = tokens.create("ci", BOTH, actor=actor)
    assert tokens.find(secret) is not None
    assert recorded(trail) == []
    storage.broken.clear()
    tokens.revoke(record.id, actor=actor)
    assert recorded(trail) == ["token.created", "token.revoked"]


def test_unrecorded_revocation_is_recorded_by_a_repeat(tokens, storage, trail, actor):
    """Access ends before the event is appended; a repeated call appends it, and one more is refused."""
    secret, record = tokens.create("ci", BOTH, actor=actor)
    storage.broken["replace", "audit/administration"] = BROKEN
    tokens.revoke(record.id, actor=actor)
    assert tokens.find(secret) is None
    storage.broken.clear()
    tokens.revoke(record.id, actor=actor)
    assert recorded(trail) == ["token.created", "token.revoked"]
    with pytest.raises(NotFound):
        tokens.revoke(record.id, actor=actor)


def test_lost_last_use_is_no_matter(tokens, storage, actor):
    """That another process wrote the last use first is no failure."""
    secret, _ = tokens.create("ci", BOTH, actor=actor)
    storage.broken["replace", "tokens/"] = Changed("lost")
    assert tokens.find(secret)


def test_removed_record_is_passed_over(tokens, storage, actor):
    """A record that vanishes while the tokens are listed is left out."""
    tokens.create("ci", BOTH, actor=actor)
    storage.broken["read_if_changed", "tokens/"] = storage.broken["read", "tokens/"] = Missing("gone")
    assert tokens.list() == []


def test_revoked_at_once_by_two_is_told_once(storage, trail, clock, actor):
    """Of two processes that revoke a token at once both succeed, and it is told of once."""
    first, second = (TokenStore(storage, trail=trail, clock=clock) for _ in range(2))
    _, record = first.create("ci", BOTH, actor=actor)
    second.list()
    stamp = trail.stamp

    def stamp_and_lose(actor):
        trail.stamp = stamp
        first.revoke(record.id, actor=actor)
        return stamp(actor)

    trail.stamp = stamp_and_lose
    second.revoke(record.id, actor=actor)
    assert recorded(trail) == ["token.created", "token.revoked"]


def test_lost_store_is_no_unknown_token(storage, trail, clock, actor):
    """A store that vanishes while it is served is an error, and no token is called unknown."""
    settings = SettingsStore(storage, trail=trail, clock=clock)
    tokens = TokenStore(storage, trail=trail, settings=settings, clock=clock)
    settings.change({"publicReads": False}, actor=actor)
    secret, _ = tokens.create("ci", BOTH, actor=actor)
    assert settings.get().public_reads is False
    assert tokens.find(token_format.make_secret()) is None
    for key in list(storage.list()):
        storage.delete(key)
    with pytest.raises(StorageUnavailable, match="gone"):
        tokens.find(secret)


def test_last_use_is_never_written_over_a_revocation(storage, trail, clock, actor):
    """A token that is revoked between the look and the write of its last use stays revoked."""
    tokens, other = (TokenStore(storage, trail=trail, clock=clock) for _ in range(2))
    secret, record = tokens.create("ci", BOTH, actor=actor)
    real = storage.storage.replace

    def revoke_first(key, data, revision):
        storage.storage.replace = real
        if key.startswith("tokens/"):
            other.revoke(record.id, actor=actor)
        return real(key, data, revision)

    storage.storage.replace = revoke_first
    assert tokens.find(secret)
    assert tokens.find(secret) is None
    assert tokens.list() == []


def test_last_use_is_that_of_the_state_that_was_looked_at(storage, trail, clock, actor):
    """A revocation right after the look is not overwritten either, however late the write begins."""
    tokens, other = (TokenStore(storage, trail=trail, clock=clock) for _ in range(2))
    secret, record = tokens.create("ci", BOTH, actor=actor)

    def revoke_first():
        tokens.clock = clock
        other.revoke(record.id, actor=actor)
        return clock()

    tokens.clock = revoke_first  # asked between the look and the write
    assert tokens.find(secret)
    assert tokens.find(secret) is None
    assert other.list() == []


def test_fields_of_a_newer_version_are_kept(tokens, storage, clock, actor):
    """What another version added to a token's record survives its last use and its revocation."""
    secret, record = tokens.create("ci", BOTH, actor=actor)
    key = f"tokens/{record.hash}.json"
    stored = storage.read(key)
    storage.replace(key, orjson.dumps(orjson.loads(stored.data) | {"added": [1]}), stored.revision)
    assert tokens.find(secret)
    tokens.revoke(record.id, actor=actor)
    document = orjson.loads(storage.read(key).data)
    assert (document["added"], document["lastUsedAt"] is not None, document["revokedAt"] is not None) == (
        [1],
        True,
        True,
    )


def test_moved_record_opens_nothing(tokens, storage, actor):
    """A record copied under another token's hash does not make that token good."""
    _, record = tokens.create("ci", BOTH, actor=actor)
    other = token_format.make_secret()
    storage.create(f"tokens/{token_format.digest(other)}.json", storage.read(f"tokens/{record.hash}.json").data)
    assert tokens.find(other) is None


@pytest.mark.parametrize("member", ["createdAt", "expiresAt", "revokedAt", "lastUsedAt"])
def test_a_time_without_a_zone_is_damage(tokens, storage, actor, member):
    """It could be compared with no other time."""
    secret, record = tokens.create("ci", BOTH, actor=actor)
    key = f"tokens/{record.hash}.json"
    stored = storage.read(key)
    storage.replace(key, orjson.dumps({**orjson.loads(stored.data), member: "2027-01-31T00:00:00"}), stored.revision)
    with pytest.raises(StorageUnavailable, match="damaged"):
        tokens.find(secret)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format":1}', b'{"format":2}', b"\xff"])
def test_damaged_record_is_no_absent_one(tokens, storage, data):
    """A damaged record is an error of the storage: the token is neither good nor unknown."""
    secret = token_format.make_secret()
    storage.create(f"tokens/{token_format.digest(secret)}.json", data)
    with pytest.raises(StorageUnavailable, match=r"damaged|newer version"):
        tokens.find(secret)


def test_plaintext_is_nowhere(tokens, storage, trail, actor, caplog):
    """No stored object, listing, event, repr or log line holds a token."""
    with caplog.at_level(logging.DEBUG):
        secret, record = tokens.create("ci", BOTH, actor=actor)
        tokens.find(secret)
        tokens.revoke(record.id, actor=actor)
    places = [storage.read(key).data.decode() for key in storage.list()] + list(storage.list())
    places += [repr(record), repr(tokens), repr(vars(tokens)), repr(trail.chain()), caplog.text]
    assert not any(secret[7:50] in place for place in places)


def test_static_tokens_find_their_principals():
    """Tokens given by the host are found, carry their hash, and are not shown."""
    secret = token_format.make_secret()
    tokens = StaticTokens({secret: Principal("ci", frozenset(Grant))})
    assert tokens.find(secret).token_hash == token_format.digest(secret)
    assert tokens.find(secret + "x") is None
    assert secret not in repr(tokens) + repr(vars(tokens))


def test_static_token_must_be_ours():
    """A token that looks like the upstream's is refused at start."""
    with pytest.raises(ValueError, match="nproxy_"):
        StaticTokens({"npm_abc": Principal()})


RESTRICTIONS = Restrictions(parse_packages(["@acme/web-*"]), parse_addresses(["10.0.0.0/8"]))


def test_restrictions_travel_with_the_principal(tokens, storage, trail, clock, actor):
    """They are shown, recorded, and there for another process."""
    secret, record = tokens.create("ci", BOTH, restrictions=RESTRICTIONS, actor=actor)
    assert TokenStore(storage, trail=trail, clock=clock).find(secret).restrictions == RESTRICTIONS
    assert record.to_document()["packages"] == ["@acme/web-*"]
    assert record.to_document()["addresses"] == ["10.0.0.0/8"]
    (event,) = trail.chain()
    assert (event["token"]["packages"], event["token"]["addresses"]) == (["@acme/web-*"], ["10.0.0.0/8"])


def test_an_older_version_finds_a_restricted_token_without_scopes(tokens, storage, clock, actor):
    """It knows no restrictions, so the token may do nothing there; and it loses nothing when it writes a last use."""
    secret, record = tokens.create("ci", BOTH, restrictions=RESTRICTIONS, actor=actor)
    key = TOKEN.key(record.hash)
    stored = orjson.loads(storage.read(key).data)
    assert stored["scopes"] == []
    assert "packages" not in stored
    older = {**stored, "lastUsedAt": "2026-11-22T12:30:00.000Z"}  # what it kept of fields unknown to it
    assert token_records.decode(orjson.dumps(older)).restrictions == RESTRICTIONS
    assert tokens.find(secret).grants == frozenset(Grant)


def test_a_token_without_restrictions_is_stored_as_before(tokens, storage, actor):
    """An older version opens it as ever."""
    _, record = tokens.create("ci", BOTH, actor=actor)
    stored = orjson.loads(storage.read(TOKEN.key(record.hash)).data)
    assert stored["scopes"] == ["proxy", "publish"]
    assert not stored.keys() & {"restricted", "packages", "addresses"}


@pytest.mark.parametrize(
    "restricted",
    [
        {},
        {"scopes": ["proxy"]},
        {"scopes": ["proxy"], "packages": None, "addresses": None},
        {"scopes": ["proxy"], "packages": ["*"], "addresses": None},
        {"scopes": ["proxy"], "packages": None, "addresses": ["everywhere"]},
        {"scopes": ["admin"], "packages": ["@acme"], "addresses": None},
        [],
    ],
)
def test_damaged_restrictions_open_nothing(tokens, storage, actor, restricted):
    """Nothing is guessed: a token whose restrictions cannot be read is not one without any."""
    secret, record = tokens.create("ci", BOTH, restrictions=RESTRICTIONS, actor=actor)
    key = TOKEN.key(record.hash)
    stored = storage.read(key)
    storage.replace(key, orjson.dumps({**orjson.loads(stored.data), "restricted": restricted}), stored.revision)
    with pytest.raises(StorageUnavailable):
        tokens.find(secret)
