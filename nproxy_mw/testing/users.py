"""What is true of every authenticator and of every `Administrators`, as tests. Subclass them for a login of your own::

    class TestOurLogin(AuthenticatorContract):
        @pytest.fixture
        def users(self):
            return our_user_of  # from a WSGI environ to a User, or None

        @pytest.fixture
        def signed_in(self):
            return {"HTTP_COOKIE": "session=..."}  # what the environ of a signed-in user has

pytest then collects every fact below as a test of that class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from nproxy_mw.access import Actor, Administrators, Role, User
from nproxy_mw.errors import TooManyRequests, Unauthenticated
from nproxy_mw.testing.races import in_threads
from nproxy_mw.token_format import make_secret

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

UserFinder: TypeAlias = "Callable[[WSGIEnvironment], User | None]"
"""What ``users=`` is. It raises nothing but `Unauthenticated`."""

STRANGE = ["", " ", "x", "Bearer", "Bearer ", "Basic Og==", "Bearer é", "Bearer \udc80", "Bearer " + "x" * 20_000, "\0"]
"""Values of an Authorization header that belong to nobody."""


class _Untouched:
    """A request body that must not be read."""

    def read(self, size: int = -1) -> bytes:
        pytest.fail("An authenticator read the body of the request.")

    readline = readlines = __iter__ = read


def environ_of(entries: Mapping[str, Any]) -> WSGIEnvironment:
    """Returns the environ of a GET with *entries*."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/api/v1/orgs",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "192.0.2.7",
        "wsgi.input": _Untouched(),
        "wsgi.url_scheme": "http",
        **entries,
    }


class AuthenticatorContract:
    """What is true of every authenticator: a callable from a WSGI environ to a `User`, or to None."""

    @pytest.fixture
    def users(self) -> UserFinder:
        """The authenticator."""
        pytest.fail("Give this class a fixture named users, with an authenticator.")

    @pytest.fixture
    def signed_in(self) -> Mapping[str, Any]:
        """What the environ of a signed-in user has in addition."""
        pytest.fail("Give this class a fixture named signed_in, with entries for an environ.")

    def test_signed_in_user_has_a_name_and_a_role(self, users: UserFinder, signed_in: Mapping[str, Any]) -> None:
        """The user is the same at each question."""
        found = users(environ_of(signed_in))
        assert isinstance(found, User)
        assert found.name
        assert found.role in Role
        assert found.organizations is None or isinstance(found.organizations, frozenset)
        assert users(environ_of(signed_in)) == found

    def test_request_stays_as_it_was(self, users: UserFinder, signed_in: Mapping[str, Any]) -> None:
        """The environ is not changed, and the body is not read."""
        environ = environ_of(signed_in)
        before = dict(environ)
        users(environ)
        assert environ == before

    def test_stranger_is_nobody(self, users: UserFinder) -> None:
        """Without anything, the user is None; that is no error."""
        assert users(environ_of({})) is None

    @pytest.mark.parametrize("value", STRANGE)
    def test_strange_credentials_are_nobody(self, users: UserFinder, value: str) -> None:
        """What a client may send in Authorization and Cookie is None or `Unauthenticated`, and no other error."""
        for header in ("HTTP_AUTHORIZATION", "HTTP_COOKIE"):
            assert _user(users, {header: value}) is None

    def test_api_token_is_nobody(self, users: UserFinder) -> None:
        """The tokens of npm clients do not open the management API."""
        for header in ("HTTP_AUTHORIZATION", "HTTP_COOKIE"):
            assert _user(users, {header: f"Bearer {make_secret()}"}) is None

    def test_threads_find_their_own_users(self, users: UserFinder, signed_in: Mapping[str, Any]) -> None:
        """Requests of a user and of strangers at once do not get into each other's way."""
        found = in_threads(8, lambda number: users(environ_of(signed_in if number % 2 else {})))
        assert found == [None, users(environ_of(signed_in))] * 4


class AdministratorsContract:
    """What is true of every `Administrators`: accounts with passwords."""

    @pytest.fixture
    def administrators(self) -> Administrators:
        """Accounts with one administrator at least."""
        pytest.fail("Give this class a fixture named administrators.")

    @pytest.fixture
    def pair(self) -> tuple[str, str]:
        """The name and the password of an administrator."""
        pytest.fail("Give this class a fixture named pair, with the name and the password of an administrator.")

    def test_right_pair_is_the_user(self, administrators: Administrators, pair: tuple[str, str]) -> None:
        """The user that signs in is the one that is found by name later."""
        name, password = pair
        user = administrators.verify(name, password, actor=Actor(ip="192.0.2.7"))
        assert user.name == name
        assert administrators.find(name) == user

    def test_wrong_pairs_are_refused_alike(self, administrators: Administrators, pair: tuple[str, str]) -> None:
        """A stranger cannot tell an unknown name from a wrong password."""
        name, password = pair
        sentences = set()
        for number, (who, word) in enumerate([(name, password + "x"), ("nobody", password), ("nobody", "x")]):
            with pytest.raises(Unauthenticated) as refused:
                administrators.verify(who, word, actor=Actor(ip=f"192.0.{number}.7"))
            sentences.add(refused.value.message)
        assert len(sentences) == 1

    @pytest.mark.parametrize("text", ["", " ", "\0", "../ann", "é", "x" * 2000])
    def test_strange_pairs_are_refused(self, administrators: Administrators, pair: tuple[str, str], text: str) -> None:
        """Whatever a client sends as name or password."""
        for number, (who, word) in enumerate([(text, pair[1]), (pair[0], text)]):
            with pytest.raises((Unauthenticated, TooManyRequests)):
                administrators.verify(who, word, actor=Actor(ip=f"198.51.{number}.7"))
        assert administrators.find(text) is None

    def test_somebody_manages_an_organization(self, administrators: Administrators, pair: tuple[str, str]) -> None:
        """Where an administrator may create tokens, npm login is offered."""
        user = administrators.find(pair[0])
        assert user is not None
        org = min(user.organizations or {"acme"})
        assert administrators.anybody_manages(org) or not user.manages(org)


def _user(users: UserFinder, entries: Mapping[str, Any]) -> User | None:
    try:
        return users(environ_of(entries))
    except Unauthenticated:
        return None
