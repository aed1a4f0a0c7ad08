"""OwnTokens: what a client may do with the API token it holds: ``npm token list`` and ``revoke``, ``npm logout``.

A token acts on itself alone. Its name is no proof of ownership, since names are free, and a leaked token that could
list or end others would be worse than a leaked one. Everybody else's token looks like one that is not there. Tokens are
made by ``npm login``, by the management API and on the command line, never by another token: so none can widen itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from hmac import compare_digest
from typing import TYPE_CHECKING

from nproxy_mw import token_format
from nproxy_mw.access import Actor, Grant, Principal
from nproxy_mw.errors import MethodNotAllowed, NotFound, Unauthenticated
from nproxy_mw.http import messages
from nproxy_mw.http.context import PRINCIPAL, REQUEST_ID, ROUTE
from nproxy_mw.npm.routes import Kind
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.times import timestamp

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_VERBS = {Kind.TOKENS: ("GET", "HEAD"), Kind.TOKEN: ("DELETE",), Kind.LOGOUT: ("DELETE",)}


class OwnTokens:
    """Lists and ends the token that a request came with, one of *tokens*."""

    def __init__(self, app: WSGIApplication, *, tokens: TokenStore) -> None:
        self.app = app
        self.tokens = tokens

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        route = ROUTE.require(environ, by="OwnTokens")
        principal = PRINCIPAL.require(environ, by="OwnTokens")
        verbs = _VERBS.get(route.kind)
        if verbs is None:
            return self.app(environ, start_response)
        if environ["REQUEST_METHOD"] not in verbs:
            raise MethodNotAllowed(
                "Tokens are not made or changed here: use npm login, or ask an administrator for one.", allow=verbs
            )
        if principal.is_anonymous:
            raise Unauthenticated("This needs an API token of this registry: put one into .npmrc.")
        if route.kind is Kind.TOKENS:
            return self._list(environ, start_response, principal)
        self._revoke(environ, principal, route.rest)
        return messages.send_json(environ, start_response, {"ok": True}, headers=[("Cache-Control", "no-store")])

    def _list(self, environ: WSGIEnvironment, start_response: StartResponse, own: Principal) -> Iterable[bytes]:
        found = [
            {
                "key": record.id,
                "token": token_format.PREFIX,  # npm shows it as the token's beginning
                "name": record.name,
                "created": timestamp(record.created_at),
                "readonly": Grant.PUBLISH not in record.grants,
                "cidr_whitelist": None,
            }
            for record in self.tokens.list()
            if record.hash == own.token_hash
        ]
        # npm looks into urls for the next page, and fails when there is none to look into.
        return messages.send_json(environ, start_response, {"objects": found, "urls": {}}, headers=messages.PRIVATE)

    def _revoke(self, environ: WSGIEnvironment, own: Principal, named: str) -> None:
        """Ends the token itself, named by its id, its hash, or its plaintext, as npm logout does."""
        names = (own.token_id, own.token_hash)
        if not any(compare_digest(name, named) for name in names) and token_format.digest(named) != own.token_hash:
            raise NotFound("A token can end itself alone: an administrator ends others.", code="unknown-token")
        actor = Actor(
            token_hash=own.token_hash,
            name=own.name,
            request_id=REQUEST_ID.require(environ, by="OwnTokens"),
            ip=environ.get("REMOTE_ADDR", ""),
            user_agent=environ.get("HTTP_USER_AGENT", ""),
        )
        self.tokens.revoke(own.token_hash, actor=actor)
