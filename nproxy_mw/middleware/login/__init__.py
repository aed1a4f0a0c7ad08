"""Login: gives ``npm login`` an API token, on a server that has administrators of its own.

Both ways that npm knows::

    POST /-/v1/login                    begins a web login: where to look, and where to poll
    GET  /-/v1/login/done/<secret>      202 until it is granted, then the token, once
    GET, POST /-/v1/login/page/<name>   the page on which an administrator signs in and chooses the token's scopes
    PUT  /-/user/org.couchdb.user:NAME  name and password at once; the token may do everything

Stands above Authenticate, because npm sends its old token along: here it is never looked at. Every other path goes to
*app*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nproxy_mw.access import Actor, Grant
from nproxy_mw.errors import BadRequest, MethodNotAllowed
from nproxy_mw.http import messages
from nproxy_mw.http.bodies import read_body
from nproxy_mw.http.context import REQUEST_ID
from nproxy_mw.http.sites import refuse_other_sites
from nproxy_mw.json_values import parse_object
from nproxy_mw.middleware.login.browser import Administrators, LoginPage
from nproxy_mw.middleware.login.pending import PendingLogins
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, utc_now

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Administrators", "Login"]

POLL_SECONDS = 2
BODY_LIMIT = 16 * 1024  # bytes

_WEB = "/-/v1/login"
_USER = re.compile(r"/-/user/org\.couchdb\.user:([^/]+)(?:/-rev/[^/]+)?", re.ASCII)
_EVERYTHING = frozenset(Grant)


class Login:
    """Gives out tokens of *tokens*, the organization *org*'s, to those whose password *administrators* know.

    *storage* is the organization's own; logins wait there, so that any process can go on with one. If *public_url* is
    None, the URLs that npm is given follow the request.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        org: str,
        storage: Storage,
        tokens: TokenStore,
        administrators: Administrators,
        public_url: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.app = app
        self.tokens = tokens
        self.administrators = administrators
        self.public_url = public_url
        self.logins = PendingLogins(storage, clock=clock)
        self.page = LoginPage(org, self.logins, administrators, public_url)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        verb: str = environ["REQUEST_METHOD"]
        user = _USER.fullmatch(path)
        if user is not None and verb == "PUT":
            return self._legacy(environ, start_response, user[1])
        place, _, name = path.removeprefix(_WEB).removeprefix("/").partition("/")
        if path == _WEB:
            _allow(verb, "POST")
            return self._begin(environ, start_response)
        if path.startswith(_WEB + "/") and place == "done" and name:
            _allow(verb, "GET")  # not HEAD: the answer can be had once
            return self._poll(environ, start_response, name)
        if path.startswith(_WEB + "/") and place == "page" and name:
            _allow(verb, "GET", "HEAD", "POST")
            answer = self.page.grant if verb == "POST" else self.page.show
            return answer(environ, start_response, name)
        return self.app(environ, start_response)

    def _begin(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        refuse_other_sites(environ)
        name, secret = self.logins.begin(_actor(environ))
        base = f"{messages.base_url(environ, self.public_url)}{_WEB}"
        urls = {"loginUrl": f"{base}/page/{name}", "doneUrl": f"{base}/done/{secret}"}
        return messages.send_json(environ, start_response, urls, headers=_NO_STORE)

    def _poll(self, environ: WSGIEnvironment, start_response: StartResponse, secret: str) -> Iterable[bytes]:
        granted = self.logins.collect(secret)
        if granted is None:
            # npm asks again without a pause when it is told none.
            headers = [*_NO_STORE, ("Retry-After", str(POLL_SECONDS))]
            return messages.send_json(environ, start_response, {}, status=202, headers=headers)
        actor = _actor(environ, granted.administrator)
        token, _ = self.tokens.create(granted.administrator, granted.grants, actor=actor)
        return messages.send_json(environ, start_response, {"token": token}, headers=_NO_STORE)

    def _legacy(self, environ: WSGIEnvironment, start_response: StartResponse, user: str) -> Iterable[bytes]:
        refuse_other_sites(environ)
        document = parse_object(read_body(environ, BODY_LIMIT))
        name, password = document.get("name"), document.get("password")
        if name != user or not isinstance(password, str):
            raise BadRequest("A login names the user of its URL, and the password.", code="invalid-login")
        administrator = self.administrators.verify(user, password, ip=environ.get("REMOTE_ADDR", ""))
        actor = _actor(environ, administrator.name)
        token, _ = self.tokens.create(administrator.name, _EVERYTHING, actor=actor)
        answer = {"ok": True, "id": f"org.couchdb.user:{administrator.name}", "token": token}
        return messages.send_json(environ, start_response, answer, status=201, headers=_NO_STORE)


_NO_STORE: messages.Headers = (("Cache-Control", "no-store"),)


def _allow(verb: str, *allowed: str) -> None:
    if verb not in allowed:
        raise MethodNotAllowed("That method is not offered under this path.", allow=allowed)


def _actor(environ: WSGIEnvironment, name: str = "") -> Actor:
    return Actor(
        name=name,
        request_id=REQUEST_ID.require(environ, by="Login"),
        ip=environ.get("REMOTE_ADDR", ""),
        user_agent=environ.get("HTTP_USER_AGENT", ""),
    )
