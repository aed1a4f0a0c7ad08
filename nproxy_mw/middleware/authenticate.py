"""Authenticate: who is asking?

Fills in the `Principal`, and takes the Authorization header off the request: an API token of ours goes
no further than this layer. A header that is not ours belongs to the upstream and travels in the principal, to be used
for a public publish alone. A wrong, revoked or expired ``nproxy_`` token is refused here, whatever it was for; so is a
session of the management API, which would pass for a token of the upstream's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nproxy_mw.access import ANONYMOUS, Principal, Tokens
from nproxy_mw.errors import Unauthenticated
from nproxy_mw.http.context import context_of
from nproxy_mw.token_format import mentions_ours

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")


class Authenticate:
    """Finds the holder of the request's API token in *tokens*."""

    def __init__(self, app: WSGIApplication, *, tokens: Tokens) -> None:
        self.app = app
        self.tokens = tokens

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = context_of(environ, by="Authenticate")
        header = environ.get("HTTP_AUTHORIZATION", "")
        context.principal = self._principal(header.strip())
        if header:
            environ = {key: value for key, value in environ.items() if key != "HTTP_AUTHORIZATION"}
        return self.app(environ, start_response)

    def _principal(self, header: str) -> Principal:
        if not header:
            return ANONYMOUS
        secret = _secret(header)
        if secret is None:
            return Principal(upstream_authorization=header)
        principal = self.tokens.find(secret)
        if principal is None:
            raise Unauthenticated(
                "This API token is unknown, revoked or expired: ask for a new one and put it into .npmrc.",
                code="invalid-token",
            )
        return principal


def _secret(header: str) -> str | None:
    """The secret of ours that an Authorization header holds, or None when it holds none.

    Whatever mentions one counts as ours, so that a token in an unusual place is refused and never sent on.
    """
    scheme, _, credentials = header.replace("\t", " ").partition(" ")
    decoded = _decoded(credentials)
    if scheme.lower() == "basic" and mentions_ours(decoded):
        user, _, password = decoded.partition(":")
        return password if mentions_ours(password) else user
    return credentials.strip() if mentions_ours(header) or mentions_ours(decoded) else None


def _decoded(text: str) -> str:
    """What *text* says in base64 to a forgiving reader: in either alphabet, with or without padding."""
    plain = _NOT_BASE64.sub("", text.translate(_URL_SAFE))
    whole = plain[:-1] if len(plain) % 4 == 1 else plain
    return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")
