"""Authenticate: who is asking?

Fills in the `Principal`, and takes the Authorization header off the request: an API token goes no further than this
layer. A header that is neither ours nor the host's belongs to the upstream and travels in the principal, to be used for
a public publish alone. A wrong, revoked or expired ``nproxy_`` token is refused here, whatever it was for, and so is a
token that is used from an address that it is not for. A session of the management API is refused as well: it would pass
for a token of the upstream's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from nproxy_mw.access import ANONYMOUS, Principal, Tokens, check_address
from nproxy_mw.errors import Unauthenticated
from nproxy_mw.grounds import Witness, rest_on, vouch
from nproxy_mw.http.context import context_of
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.token_format import decode_base64, digest, looks_like_ours, mentions_ours

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+=*", re.ASCII)

LONGEST = 16 * 1024
"""Characters of an Authorization header. Tokens that carry claims have a few thousand."""


class Authenticate:
    """Finds the holder of the request's API token in *tokens*.

    Raises:
        TypeError: *tokens* cannot be asked; a mapping of tokens becomes a `StaticTokens`.
    """

    def __init__(self, app: WSGIApplication, *, tokens: Tokens) -> None:
        if not callable(getattr(tokens, "find", None)):
            raise TypeError("tokens= has no find(secret): wrap a mapping of tokens in StaticTokens.")
        self.app = app
        self.tokens = tokens
        self._notes_grounds = type(tokens) is TokenStore  # a host's own may go by more than it

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = context_of(environ, by="Authenticate")
        header = environ.get("HTTP_AUTHORIZATION", "")
        context.principal = principal = self._principal(header.strip())
        if principal.restrictions.addresses:
            rest_on(None)
            check_address(principal, environ.get("REMOTE_ADDR", ""))
        if header:
            environ = dict(environ)
            del environ["HTTP_AUTHORIZATION"]
        return self.app(environ, start_response)

    def _principal(self, header: str) -> Principal:
        if not header:
            vouch(Witness.CALLER)
            return ANONYMOUS
        if len(header) > LONGEST:
            raise Unauthenticated("The Authorization header is longer than any token.", code="invalid-token")
        secret = _secret(header)
        if self._notes_grounds:
            vouch(Witness.CALLER)
        principal = self.tokens.find(secret)
        if principal is not None:
            # The hash is what makes a caller known. A host's own tokens may leave it out.
            return principal if principal.token_hash else replace(principal, token_hash=digest(secret))
        if looks_like_ours(secret) or mentions_ours(header):
            raise Unauthenticated(
                "This API token is unknown, revoked or expired: ask for a new one and put it into .npmrc.",
                code="invalid-token",
            )
        return Principal(upstream_authorization=header)


def _secret(header: str) -> str:
    """Returns what an Authorization header holds: the token of Bearer, the password of Basic.

    A token of ours is also found as the user of Basic, where no password is, not encoded, and as the password of a
    Basic value that is sent as Bearer: bun up to 1.3.13 does that with ``_auth``.
    """
    scheme, _, credentials = header.replace("\t", " ").partition(" ")
    credentials = credentials.strip()
    is_basic = scheme.lower() == "basic"
    if looks_like_ours(credentials) or not _BASE64.fullmatch(credentials):
        return credentials
    user, colon, password = decode_base64(credentials).partition(":")
    if looks_like_ours(password) or (is_basic and colon and not looks_like_ours(user)):
        return password
    return user if is_basic and looks_like_ours(user) else credentials
