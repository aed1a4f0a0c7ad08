"""Sessions of the management API."""

import logging
from datetime import timedelta

import orjson
import pytest

from nproxy_mw import token_format
from nproxy_mw.access import Grant, User
from nproxy_mw.accounts.sessions import LIFETIME, SKEW, SessionStore, is_over
from nproxy_mw.errors import Missing, StorageUnavailable
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


def test_secret_is_nowhere(sessions, storage, trail, actor, caplog):
    """No stored object, event, repr or log line holds a session's secret."""
    with caplog.at_level(logging.DEBUG):
        secret, _ = sessions.create(ANN, actor=actor)
        sessions.find(secret)
    places = [storage.read(key).data.decode() for key in storage.list()] + list(storage.list())
    places += [repr(trail.chain()), repr(vars(sessions)), caplog.text]
    assert not any(secret[8:] in place for place in places)
    assert orjson.loads(storage.read(f"sessions/{token_format.digest(secret)}.json").data)["administrator"] == "ann"
