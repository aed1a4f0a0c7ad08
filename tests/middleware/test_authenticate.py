"""Authenticate: whose token it is, and that none of ours ever looks like the upstream's."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.client import Client, validated
from support.layers import say, with_context
from support.registry import ACTOR, RegistryFixture, publish

from nproxy_mw import token_format
from nproxy_mw.access import ANONYMOUS, Grant, Principal
from nproxy_mw.errors import Unauthenticated
from nproxy_mw.http.context import PRINCIPAL
from nproxy_mw.middleware.authenticate import LONGEST, Authenticate
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.orgs.tokens import StaticTokens

TOKEN = token_format.make_secret()
OTHER = token_format.make_secret()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Door:
    """Authenticate alone, and what it left for the layers below."""

    def __init__(self, tokens=None):
        self.principals = []
        self.environs = []
        tokens = tokens or StaticTokens({TOKEN: Principal(name="ann", grants=frozenset({Grant.PROXY}))})
        self.layer = Authenticate(self.inner, tokens=tokens)
        self.client = Client(validated([ErrorResponses, lambda app: self.layer], on=self.inner))

    def inner(self, environ, start_response):
        self.principals.append(PRINCIPAL.require(environ, by="tests"))
        self.environs.append(environ)
        return say(environ, start_response, {})

    def open(self, authorization: str | None):
        return self.client.get("/x", environ={"HTTP_AUTHORIZATION": authorization})


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"Bearer {TOKEN}", id="Bearer"),
        pytest.param(f"bearer {TOKEN}", id="bearer in lower case"),
        pytest.param(f"  Bearer   {TOKEN}  ", id="with spaces"),
        pytest.param(f"Bearer\t{TOKEN}", id="with a tab"),
        pytest.param(basic("ann", TOKEN), id="password of Basic"),
        pytest.param(basic("", TOKEN), id="password of Basic without a user"),
        pytest.param(basic("ann", TOKEN).replace("Basic", "BASIC"), id="BASIC in upper case"),
        pytest.param(basic("???", TOKEN).replace("/", "_"), id="password of Basic in the url-safe alphabet"),
        pytest.param(basic(TOKEN, ""), id="user of Basic"),
        pytest.param(basic("user", TOKEN).rstrip("="), id="Basic without padding"),
        pytest.param(f"Basic {TOKEN}", id="Basic not encoded"),
        pytest.param("Bearer " + basic("ci", TOKEN)[6:], id="Bearer of a Basic value, as older bun"),
    ],
)
def test_token_is_found_where_npm_puts_it(header):
    """Bearer, and Basic with the token as the password, name the token's holder."""
    door = Door()
    assert door.open(header).status == 200
    (principal,) = door.principals
    assert (principal.name, principal.token_hash) == ("ann", token_format.digest(TOKEN))
    assert principal.upstream_authorization is None
    assert "HTTP_AUTHORIZATION" not in door.environs[0]


def test_token_that_is_not_encoded_is_read_as_it_is():
    """Its letters are those of base64, too: of a hundred tokens some would be taken for a user and a password."""
    secrets = [token_format.make_secret() for _ in range(100)]
    door = Door(StaticTokens({secret: Principal(name="ann") for secret in secrets}))
    assert {door.open(f"Basic {secret}").status for secret in secrets} == {200}


@pytest.mark.parametrize("header", [None, "", "   "], ids=["absent", "empty", "blank"])
def test_nothing_given_is_anonymous(header):
    """Whether something needs a token is not decided here."""
    door = Door()
    assert door.open(header).status == 200
    assert door.principals == [ANONYMOUS]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Bearer npm_" + "a" * 36, id="npm's token"),
        pytest.param(basic("joe", "secret"), id="Basic of the upstream"),
        pytest.param("Bearer 00000000-0000-0000-0000-000000000000", id="an old npm token"),
        pytest.param("Negotiate abc", id="another scheme"),
        pytest.param("Bearer", id="a scheme alone"),
    ],
)
def test_other_authorization_belongs_to_the_upstream(header):
    """A header that is not ours travels in the principal, and is out of the environ and of repr."""
    door = Door()
    assert door.open(header).status == 200
    (principal,) = door.principals
    assert principal.upstream_authorization == header
    assert principal.is_anonymous
    assert header not in repr(principal)
    assert "HTTP_AUTHORIZATION" not in door.environs[0]


class HostsTokens:
    """Tokens that a host keeps in its own form, with principals that say no more than they must."""

    def __init__(self):
        self.asked = []
        self.known = {
            "glpat-7": Principal("ci", frozenset({Grant.PUBLISH})),
            "glpat-8": Principal("ci", frozenset({Grant.PUBLISH}), token_hash="the host's"),
        }

    def find(self, secret):
        self.asked.append(secret)
        return self.known.get(secret)


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        pytest.param("Basic am9l", "am9l", id="Basic without a colon"),
        pytest.param("Bearer " + basic("ci", "glpat-7")[6:], basic("ci", "glpat-7")[6:], id="Bearer of a Basic value"),
        pytest.param(basic("ci", "glpat-7") + ".", basic("ci", "glpat-7")[6:] + ".", id="Basic that is no base64"),
        pytest.param(f"Bearer {'x' * (LONGEST - 7)}", "x" * (LONGEST - 7), id="as long as may be"),
    ],
)
def test_what_is_not_read_as_a_password_is_asked_for_as_it_is(header, asked):
    """A host's tokens are of any form, so nothing is guessed; what the host does not know is the upstream's."""
    tokens = HostsTokens()
    door = Door(tokens)
    assert door.open(header).status == 200
    assert (tokens.asked, door.principals[0].upstream_authorization) == ([asked], header)


def test_hosts_own_hash_of_a_token_is_kept():
    """By it the host, and the audit trail, know the token."""
    door = Door(HostsTokens())
    assert door.open("Bearer glpat-8").status == 200
    assert door.principals[0].token_hash == "the host's"


def test_environ_of_the_layers_above_keeps_the_header():
    """They may look at it after the call."""
    request = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}", "REQUEST_METHOD": "GET", "PATH_INFO": "/x"}
    environ = with_context(request, request_id="1")
    door = Door()
    door.layer(environ, lambda status, headers, exc_info=None: lambda data: None)
    assert environ["HTTP_AUTHORIZATION"] == f"Bearer {TOKEN}"
    assert "HTTP_AUTHORIZATION" not in door.environs[0]


@pytest.mark.parametrize(
    "header",
    ["Bearer glpat-7", basic("ci", "glpat-7"), basic("", "glpat-7"), basic("ci", "glpat-7").replace("Basic", "basic")],
)
def test_hosts_own_token_is_known_and_stays_here(header):
    """A token of any form that the host knows names its holder, and never belongs to the upstream."""
    door = Door(HostsTokens())
    assert door.open(header).status == 200
    (principal,) = door.principals
    assert (principal.name, principal.is_anonymous) == ("ci", False)
    assert principal.token_hash == token_format.digest("glpat-7")
    assert principal.upstream_authorization is None


def test_token_that_the_host_does_not_know_belongs_to_the_upstream():
    """It is asked for each; what it does not know, and does not begin as ours, is the upstream's."""
    tokens = HostsTokens()
    door = Door(tokens)
    assert door.open("Bearer npm_abc").status == 200
    assert door.principals[0].upstream_authorization == "Bearer npm_abc"
    assert door.open(f"Bearer {OTHER}").status == 401
    assert tokens.asked == ["npm_abc", OTHER]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Bearer {}", id="Bearer"),
        pytest.param("{}", id="no scheme"),
        pytest.param("Basic {}", id="Basic, not encoded"),
    ],
)
def test_session_is_no_token(header):
    """A session of the management API opens nothing here, and would pass for a token of the upstream's."""
    door = Door()
    response = door.open(header.format(token_format.make_session_secret()))
    assert (response.status, response.code, door.principals) == (401, "invalid-token", [])
    assert "session_" not in response.body.decode()


def mistyped(token: str) -> str:
    return token[:-10] + ("a" if token[-10] != "a" else "b") + token[-9:]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"Bearer {OTHER}", id="unknown"),
        pytest.param(f"Bearer {mistyped(TOKEN)}", id="mistyped"),
        pytest.param(f"Bearer {TOKEN[:-1]}", id="cut"),
        pytest.param(f"Bearer {TOKEN}x", id="one more"),
        pytest.param("Bearer nproxy_", id="prefix alone"),
        pytest.param(f"Bearer {TOKEN}, {TOKEN}", id="twice"),
        pytest.param(f"Bearer npm_x {TOKEN}", id="behind another"),
        pytest.param(f"Token {OTHER}", id="another scheme"),
        pytest.param(OTHER, id="no scheme"),
        pytest.param(basic("ann", OTHER), id="Basic"),
        pytest.param(basic(OTHER, "x"), id="user of Basic"),
        pytest.param(basic("ann", f"x{TOKEN}"), id="inside a password"),
        pytest.param("Bearer " + basic("ann", OTHER)[6:], id="Bearer of a Basic value"),
        pytest.param("Bearer " + basic(TOKEN, "")[6:], id="user of a Basic value as Bearer"),
        pytest.param(f"Bearer npm_abcdef,{basic('u', TOKEN)}", id="two headers joined by a server"),
        *(pytest.param(f"Bearer npm_{'a' * n}, {basic('u', TOKEN)}", id=f"behind {n} others") for n in range(1, 5)),
        pytest.param(f"Bearer {TOKEN.replace('_', '%5F')}", id="percent-encoded"),
        pytest.param("Bearer " + "x" * (16 * 1024), id="too long for a token"),
        pytest.param(basic("ann", OTHER).rstrip("="), id="Basic without padding"),
        pytest.param(basic("ann", "?>?" + OTHER).replace("+", "-").replace("/", "_"), id="url-safe alphabet"),
        pytest.param(basic("ann", OTHER).replace("Basic ", "Basic\t"), id="behind a tab"),
        pytest.param(basic("annabel", OTHER)[:20] + " " + basic("annabel", OTHER)[20:], id="a space within"),
    ],
)
def test_token_of_ours_that_opens_nothing_is_401(header):
    """A wrong token is refused whatever it was for, with the sentence in the body and in the challenge."""
    door = Door()
    response = door.open(header)
    assert (response.status, response.code, door.principals) == (401, "invalid-token", [])
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="nproxy"')
    assert response.error in challenge
    assert "nproxy_" not in challenge + response.body.decode()


@given(
    before=st.text("aB3 :,=\"'/+-_.\t", max_size=12),
    after=st.text("aB3 :,=\"'/+-_.\t", max_size=12),
    form=st.sampled_from(["plain", "bearer", "basic", "basic without padding", "url-safe", "token"]),
)
def test_prefix_anywhere_never_belongs_to_the_upstream(before, after, form):
    """Wherever ``nproxy_`` stands in a header, as it is or in base64, the header never goes upstream."""
    text = f"{before}nproxy_{after}"
    encoded = base64.b64encode(f"u:{text}".encode()).decode()
    header = {
        "plain": text,
        "bearer": f"Bearer {text}",
        "basic": f"Basic {encoded}",
        "basic without padding": f"basic  {encoded.rstrip('=')}",
        "url-safe": "Basic " + encoded.replace("+", "-").replace("/", "_"),
        "token": f"Token {encoded}",
    }[form]
    try:
        principal = Authenticate(lambda environ, start: [], tokens=StaticTokens({}))._principal(header.strip())
    except Unauthenticated:
        return
    raise AssertionError(principal)


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_header_has_an_answer(header):
    """No header makes the layer itself fail."""
    try:
        principal = Authenticate(lambda environ, start: [], tokens=StaticTokens({}))._principal(header.strip())
    except Unauthenticated:
        return
    assert principal.upstream_authorization in (None, header.strip())


@pytest.mark.parametrize("path", ["/lodash", "/-/ping", "/-/whoami", "/@acme/utils", "/-/v1/search?text=x"])
@pytest.mark.parametrize("state", ["revoked", "expired", "mistyped", "unknown"])
def test_dead_token_is_401_everywhere(state, path):
    """A revoked, expired, mistyped or unknown token is refused on public reads too, and nobody is asked."""
    moment = [datetime(2026, 1, 1, tzinfo=UTC)]
    acme = RegistryFixture(clock=lambda: moment[0])
    expires = moment[0] + timedelta(hours=1)
    token = acme.token("proxy", "publish", expires_at=expires if state == "expired" else None)
    client = Client(acme.app, token)
    assert publish(client).status == 201
    if state == "revoked":
        acme.organization.tokens.revoke(token_format.digest(token), actor=ACTOR)
    moment[0] += timedelta(hours=2)
    client.token = {"mistyped": mistyped(token), "unknown": OTHER}.get(state, token)
    path, _, query = path.partition("?")
    assert client.get(path, query=query).status == 401
    assert client.head(path, query=query).status == 401
    assert publish(client, "lodash").status == 401
    assert acme.upstream.asked == []
