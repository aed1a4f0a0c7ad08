"""OwnTokens: what a client may do with its own API token: ``npm token list`` and ``revoke``, ``npm logout``.

A token acts only on itself. Its name proves no ownership, since anybody may choose any name, and a leaked token that
could list or end others would do more harm. Any other token looks like one that does not exist. Tokens are created by
``npm login``, by the management API and on the command line, never by another token: so none can widen its own rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hmac import compare_digest
from typing import TYPE_CHECKING

from nproxy_mw import token_format
from nproxy_mw.access import Grant
from nproxy_mw.errors import NotFound, Unauthenticated
from nproxy_mw.http.context import CONTEXT, ROUTE, Context, actor_of
from nproxy_mw.http.handlers import Handler, Request, VerbTable, routed
from nproxy_mw.http.messages import NO_STORE, PRIVATE, Response, json_response, send
from nproxy_mw.npm.routes import Kind
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.times import timestamp

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REFUSAL = "Tokens are not made or changed here: use npm login, or ask an administrator for one."


class OwnTokens:
    """Lists and ends the token that a request came with, one of *tokens*."""

    def __init__(self, app: WSGIApplication, *, tokens: TokenStore) -> None:
        self.app = app
        self.tokens = tokens
        self._tables: Mapping[Kind, VerbTable[Handler]] = {
            Kind.TOKENS: VerbTable({"GET": self._list}, refusal=_REFUSAL),
            Kind.TOKEN: VerbTable({"DELETE": self._revoke}, refusal=_REFUSAL),
            Kind.LOGOUT: VerbTable({"DELETE": self._revoke}, refusal=_REFUSAL),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = environ.get(CONTEXT) or Context()
        route = context.route or ROUTE.require(environ, by="OwnTokens")
        table = self._tables.get(route.kind)
        if table is None:
            return self.app(environ, start_response)
        request, handler = routed(environ, by="OwnTokens"), table.find(environ)
        if request.principal.is_anonymous:
            raise Unauthenticated("This needs an API token of this registry: put one into .npmrc.")
        return send(environ, start_response, handler(request))

    def _list(self, request: Request) -> Response:
        found = [
            {
                "key": record.id,
                "token": token_format.PREFIX,  # npm shows it as the token's beginning
                "name": record.name,
                "created": timestamp(record.created_at),
                "readonly": Grant.PUBLISH not in record.grants,
                "cidr_whitelist": record.restrictions.to_document()["addresses"] or None,
            }
            for record in self.tokens.list()
            if record.hash == request.principal.token_hash
        ]
        # npm reads the next page from urls, and fails without it.
        return json_response({"objects": found, "urls": {}}, headers=PRIVATE)

    def _revoke(self, request: Request) -> Response:
        """Ends the token itself, named by its id, its hash, or its plaintext, as npm logout does."""
        own, named = request.principal, request.route.rest
        names = (own.token_id, own.token_hash)
        if not any(compare_digest(name, named) for name in names) and token_format.digest(named) != own.token_hash:
            raise NotFound("A token can end only itself: an administrator ends others.", code="unknown-token")
        self.tokens.revoke(own.token_hash, actor=actor_of(request.context, request.environ))
        return json_response({"ok": True}, headers=NO_STORE)
