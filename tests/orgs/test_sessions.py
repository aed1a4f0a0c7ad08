"""Sessions of the management API."""

import logging
from datetime import timedelta

import orjson
import pytest

from nproxy_mw import token_format
from nproxy_mw.access import Grant, User
from nproxy_mw.accounts.session_records import SKEW, is_over
from nproxy_mw.accounts.sessions import LAST_USE, LIFETIME, SessionStore
from nproxy_mw.errors import BadRequest, Missing, NotFound, StorageUnavailable
from nproxy_mw.orgs.tokens import TokenStore

ANN = User("ann")


class Epochs(dict):
    """Who has which epoch, as a callable."""

    remembered = None

    def __call__(self, name, *, current=False):
        return (self if current or self.remembered is None else self.remembered).get(name)


@pytest.fixture
def epochs():
    """The epochs of the administrators' passwords. What is *remembered* of them may be a little old."""
    return Epochs(ann="e1", bob="e1")


@pytest.fixture
def sessions(storage, trail, clock, epochs):
    return SessionStore(storage, epoch_of=epochs, trail=trail, clock=clock)


def test_session_is_its_administrator(sessions, storage, trail, clock, epochs, actor):
    """Who holds the secret is the administrator, in every process."""
    secret, expires_at = sessions.create(ANN, actor=actor)
    other = SessionStore(storage, epoch_of=epochs, trail=trail, clock=clock)
    assert sessions.find(secret) == other.find(secret) == ANN.name
    assert expires_at == clock.now + LIFETIME


def test_session_ends_after_its_lifetime(sessions, clock, actor):
    """A session is good for twelve hours, and not a moment more."""
    secret, expires_at = sessions.create(ANN, actor=actor)
    clock.now = expires_at.replace(microsecond=0)
    assert sessions.find(secret) is None
    clock.forward(seconds=-1)
    assert sessions.find(secret)


def test_signed_out_session_has_ended_everywhere(sessions, storage, trail, clock, epochs, actor):
    """A session that was signed out is unknown in the next request; others go on."""
    other = SessionStore(storage, epoch_of=epochs, trail=trail, clock=clock)
    first, second = (sessions.create(ANN, actor=actor)[0] for _ in range(2))
    assert other.find(first)
    sessions.revoke(first, actor=actor)
    assert (sessions.find(first), other.find(first)) == (None, None)
    assert other.find(second)
    sessions.revoke(first, actor=actor)
    assert [event["event"] for event in trail.chain()] == ["session.created"] * 2 + ["session.ended"]


@pytest.mark.parametrize("epoch", ["e2", None])
def test_changed_password_ends_sessions(sessions, epochs, actor, epoch):
    """With another password, or without the administrator, the session has ended; those of others go on."""
    secret, _ = sessions.create(ANN, actor=actor)
    other, _ = sessions.create(User("bob"), actor=actor)
    epochs["ann"] = epoch
    assert sessions.find(secret) is None
    assert sessions.find(other)


def test_session_of_nobody_is_a_mistake(sessions, actor):
    """No session begins for somebody who is not there."""
    with pytest.raises(ValueError, match="administrator"):
        sessions.create(User("eve"), actor=actor)


@pytest.mark.parametrize("secret", ["", "session_", "session_" + "a" * 43, "session_../x", "nproxy_" + "a" * 49])
def test_other_text_is_no_session(sessions, actor, secret):
    """What nobody signed in as is no session."""
    sessions.create(ANN, actor=actor)
    assert sessions.find(secret) is None
    sessions.revoke(secret, actor=actor)


def test_token_is_no_session_and_session_no_token(sessions, storage, trail, clock, actor):
    """An API token never opens the management API, and a session never the registry, also on one storage."""
    tokens = TokenStore(storage, trail=trail, clock=clock)
    token, _ = tokens.create("ci", list(Grant), actor=actor)
    session, _ = sessions.create(ANN, actor=actor)
    assert (sessions.find(token), tokens.find(session)) == (None, None)
    stored = storage.read(f"sessions/{token_format.digest(session)}.json").data
    storage.create(f"sessions/{token_format.digest(token)}.json", stored)
    assert sessions.find(token) is None


def test_moved_session_opens_nothing(sessions, storage, actor):
    """A session's record copied under another secret's hash does not make that secret good."""
    secret, _ = sessions.create(ANN, actor=actor)
    other = token_format.make_session_secret()
    stored = storage.read(f"sessions/{token_format.digest(secret)}.json").data
    storage.create(f"sessions/{token_format.digest(other)}.json", stored)
    assert sessions.find(other) is None


def test_untold_session_does_not_begin(sessions, storage, actor):
    """A session that cannot be told of is not stored."""
    storage.broken["create", "audit/administration"] = StorageUnavailable("full")
    with pytest.raises(StorageUnavailable):
        sessions.create(ANN, actor=actor)
    assert list(storage.list("sessions")) == []


def test_expired_session_is_over(sessions, storage, clock, actor):
    """What may be removed is what has expired on every host, to the moment."""
    secret, expires_at = sessions.create(ANN, actor=actor)
    data = storage.read(f"sessions/{token_format.digest(secret)}.json").data
    assert not is_over(data, expires_at + SKEW - timedelta(seconds=1))
    assert is_over(data, expires_at + SKEW)


def test_session_is_refused_on_the_present_epoch(sessions, epochs, actor):
    """An administrator whose new password this process has not seen yet is signed in all the same."""
    epochs.remembered = {"ann": "e0"}
    secret, _ = sessions.create(ANN, actor=actor)
    assert sessions.find(secret) == ANN.name
    epochs["ann"] = "e2"
    assert sessions.find(secret) is None


@pytest.mark.parametrize("verb", ["create", "delete"])
def test_lost_answer_about_a_session_is_looked_for(sessions, storage, trail, actor, verb):
    """A session that was stored begins, and one that was removed is recorded as ended."""
    real = getattr(storage.storage, verb)

    def lose(key, *arguments):
        real(key, *arguments)
        if key.startswith("sessions/"):
            raise StorageUnavailable("The answer was lost.")

    ended, _ = sessions.create(ANN, actor=actor)
    setattr(storage.storage, verb, lose)
    sessions.revoke(ended, actor=actor)
    secret, _ = sessions.create(ANN, actor=actor)
    assert (sessions.find(ended), sessions.find(secret)) == (None, ANN.name)
    assert [event["event"] for event in trail.chain()] == ["session.created", "session.ended", "session.created"]


def test_lost_sessions_are_no_unknown_ones(sessions, storage, actor):
    """A store that vanishes while it is served is an error, and nobody is told to sign in again."""
    secret, _ = sessions.create(ANN, actor=actor)
    assert sessions.find(token_format.make_session_secret()) is None
    for key in list(storage.list()):
        storage.delete(key)
    with pytest.raises(StorageUnavailable, match="gone"):
        sessions.find(secret)


def test_empty_store_knows_no_session(sessions):
    """Where nobody ever signed in, a secret is unknown."""
    assert sessions.find(token_format.make_session_secret()) is None


def test_session_ended_at_once_by_two_is_told_once(sessions, storage, trail, actor):
    """A session that another process ends at the same moment is told of by that one alone."""
    secret, _ = sessions.create(ANN, actor=actor)
    storage.broken["delete", "sessions/"] = Missing("gone")
    sessions.revoke(secret, actor=actor)
    assert [event["event"] for event in trail.chain()] == ["session.created"]


@pytest.mark.parametrize("data", [b"", b'{"format":1}', b'{"format":1,"expiresAt":5}'])
def test_damaged_session_is_no_absent_one(sessions, storage, data):
    """A session that cannot be read is an error of the storage."""
    secret = token_format.make_session_secret()
    storage.create(f"sessions/{token_format.digest(secret)}.json", data)
    with pytest.raises(StorageUnavailable):
        sessions.find(secret)


@pytest.mark.parametrize("member", ["expiresAt", "createdAt", "lastUsedAt"])
def test_a_time_without_a_zone_is_damage(sessions, storage, actor, member):
    """It could be compared with no other time."""
    secret, _ = sessions.create(ANN, actor=actor)
    key = f"sessions/{token_format.digest(secret)}.json"
    stored = storage.read(key)
    storage.replace(key, orjson.dumps({**orjson.loads(stored.data), member: "2027-01-31T00:00:00"}), stored.revision)
    with pytest.raises(StorageUnavailable):
        sessions.find(secret)


def test_secret_is_nowhere(sessions, storage, trail, actor, caplog):
    """No stored object, event, repr or log line holds a session's secret."""
    with caplog.at_level(logging.DEBUG):
        secret, _ = sessions.create(ANN, actor=actor)
        sessions.find(secret)
    places = [storage.read(key).data.decode() for key in storage.list()] + list(storage.list())
    places += [repr(trail.chain()), repr(vars(sessions)), caplog.text]
    assert not any(secret[8:] in place for place in places)
    assert orjson.loads(storage.read(f"sessions/{token_format.digest(secret)}.json").data)["administrator"] == "ann"


BOB = User("bob")


def listed(sessions, name="ann", **how):
    """The sessions on the first page."""
    return sessions.page(name, **how)[0]


def test_sessions_of_one_person_are_listed(sessions, clock, epochs, actor):
    """Newest first, with where each began; neither those of others, nor those that have ended."""
    secrets = []
    for _ in range(3):
        secrets.append(sessions.create(ANN, actor=actor)[0])
        clock.forward(minutes=1)
    sessions.create(BOB, actor=actor)
    sessions.revoke(secrets[1], actor=actor)
    found = listed(sessions)
    assert [one.id for one in found] == [sessions.id_of(secrets[2]), sessions.id_of(secrets[0])]
    assert {(one.ip, one.user_agent, one.name) for one in found} == {(actor.ip, actor.user_agent, "ann")}
    assert found[0].created_at > found[1].created_at
    epochs["ann"] = "e2"
    assert listed(sessions) == []


def test_one_session_ends_everywhere(sessions, storage, trail, clock, epochs, actor):
    """In every process with its next request; the others go on, and the trail tells of it."""
    other = SessionStore(storage, epoch_of=epochs, trail=trail, clock=clock)
    first, second = (sessions.create(ANN, actor=actor)[0] for _ in range(2))
    assert other.find(first) == "ann"
    sessions.end("ann", sessions.id_of(first), actor=actor)
    assert other.find(first) is sessions.find(first) is None
    assert other.find(second) == sessions.find(second) == "ann"
    assert trail.chain()[-1]["event"] == "session.ended"
    with pytest.raises(NotFound):
        sessions.end("ann", sessions.id_of(first), actor=actor)


def test_nobody_ends_the_session_of_another(sessions, actor):
    """An id is looked for among the sessions of the person that is named."""
    secret, _ = sessions.create(ANN, actor=actor)
    for session_id in (sessions.id_of(secret), "0" * 16, "", "é"):
        with pytest.raises(NotFound):
            sessions.end("bob", session_id, actor=actor)
    assert sessions.find(secret) == "ann"


def test_all_others_end(sessions, actor):
    """The one that asks goes on, and so do those of other people."""
    mine, *others = (sessions.create(ANN, actor=actor)[0] for _ in range(3))
    bobs, _ = sessions.create(BOB, actor=actor)
    sessions.end_others("ann", mine, actor=actor)
    assert [sessions.find(secret) for secret in (mine, *others, bobs)] == ["ann", None, None, "bob"]


def test_last_use_is_coarse(sessions, storage, clock, actor):
    """Written at most every ten minutes, however often a session is used."""
    secret, _ = sessions.create(ANN, actor=actor)
    begun = clock.now
    storage.calls.clear()
    for _ in range(9):
        clock.forward(minutes=1)
        assert sessions.find(secret)
    assert not any(verb == "replace" for verb, _ in storage.calls)
    clock.now = begun + LAST_USE
    assert sessions.find(secret)
    assert listed(sessions)[0].last_used_at == clock.now


def test_an_ended_session_is_not_written_anew(sessions, storage, clock, actor):
    """A last use that comes late meets nothing."""
    secret, _ = sessions.create(ANN, actor=actor)
    clock.forward(hours=1)
    stale = sessions._find(secret)
    sessions.revoke(secret, actor=actor)
    sessions._note_use(stale)
    assert list(storage.list("sessions")) == []
    assert sessions.find(secret) is None


def test_a_session_of_an_older_version_goes_on(sessions, storage, actor):
    """It has no address and no times; it opens what it opened, and can be ended."""
    secret, _ = sessions.create(ANN, actor=actor)
    (key,) = storage.list("sessions")
    stored = storage.read(key)
    new = ("createdAt", "lastUsedAt", "ip", "userAgent")
    older = {name: value for name, value in orjson.loads(stored.data).items() if name not in new}
    storage.replace(key, orjson.dumps(older), stored.revision)
    assert sessions.find(secret) == "ann"
    (found,) = listed(sessions)
    assert (found.created_at, found.ip) == (None, "")
    sessions.end("ann", found.id, actor=actor)
    assert sessions.find(secret) is None


def test_a_damaged_session_hides_no_other(sessions, storage, actor):
    """Others are listed and can be ended; check tells of it."""
    sessions.create(ANN, actor=actor)
    storage.create("sessions/" + "0" * 64 + ".json", b"{")
    assert len(listed(sessions)) == 1


def test_sessions_are_listed_page_by_page(sessions, clock, actor):
    """Each once, the newest first, also when some end meanwhile; another account's page has no cursor of this one."""
    ids = []
    for _ in range(7):
        ids.insert(0, sessions.id_of(sessions.create(ANN, actor=actor)[0]))
        clock.forward(seconds=1)
    found, after = sessions.page("ann", limit=3)
    assert [one.id for one in found] == ids[:3]
    sessions.end("ann", ids[2], actor=actor)
    sessions.end("ann", ids[3], actor=actor)
    found, after = sessions.page("ann", after=after, limit=3)
    assert ([one.id for one in found], after) == (ids[4:], None)
    assert sessions.page("bob", after=None) == ([], None)


@pytest.mark.parametrize("after", ["", "x", "20261122T120000.000Z", "20261122T120000.000Z-" + "0" * 64])
def test_a_page_behind_nothing_is_refused(sessions, after):
    """Only what a page returned is a cursor."""
    with pytest.raises(BadRequest):
        sessions.page("ann", after=after)


def test_a_list_reads_nothing_of_others(sessions, storage, epochs, clock, actor):
    """However many sessions there are, a page reads its own, and no more of those that a new password ended."""
    for user in (BOB, ANN) * 30:
        sessions.create(user, actor=actor)
        clock.forward(seconds=1)
    fresh = SessionStore(storage, epoch_of=epochs, trail=sessions.trail, clock=clock)
    storage.calls.clear()
    found, after = fresh.page("ann", limit=5)
    assert len(found) == 5
    assert after is not None
    assert sum("read" in verb for verb, _ in storage.calls) == 5
    epochs["ann"] = "e2"
    mine, _ = sessions.create(ANN, actor=actor)
    assert [one.id for one in listed(fresh)] == [sessions.id_of(mine)]


def test_a_page_reads_a_bounded_number(sessions, epochs, actor, monkeypatch):
    """A page without any session has another behind it, as long as something was not looked at."""
    monkeypatch.setattr("nproxy_mw.accounts.sessions.MAX_READ", 2)
    for _ in range(5):
        sessions.create(ANN, actor=actor)
    epochs["ann"] = "e2"
    pages, after = 0, None
    while pages == 0 or after is not None:
        found, after = sessions.page("ann", after=after)
        assert found == []
        pages += 1
    assert pages == 3


def test_a_session_without_a_mark_is_listed(sessions, storage, clock, actor):
    """A process was killed before it wrote the mark, or an earlier version stored the session."""
    ids = []
    for _ in range(3):
        ids.insert(0, sessions.id_of(sessions.create(ANN, actor=actor)[0]))
        clock.forward(minutes=1)
    marks = sorted(storage.list("sessions-by-account"))
    assert len(marks) == 3
    storage.delete(marks[1])
    assert [one.id for one in listed(sessions)] == ids
    assert listed(sessions, "bob") == []
    sessions.end("ann", ids[1], actor=actor)
    assert [one.id for one in listed(sessions)] == [ids[0], ids[2]]


def test_a_mark_that_cannot_be_written_refuses_nobody(sessions, storage, actor):
    """The session begins, is listed and ends; a mark that stays lists nothing."""
    storage.broken["create", "sessions-by-account"] = StorageUnavailable("full")
    first, _ = sessions.create(ANN, actor=actor)
    storage.broken.clear()
    second, _ = sessions.create(ANN, actor=actor)
    assert {one.id for one in listed(sessions)} == {sessions.id_of(first), sessions.id_of(second)}
    storage.broken["delete", "sessions-by-account"] = StorageUnavailable("away")
    for secret in (first, second):
        sessions.revoke(secret, actor=actor)
    storage.broken.clear()
    assert len(list(storage.list("sessions-by-account"))) == 1
    assert listed(sessions) == []
