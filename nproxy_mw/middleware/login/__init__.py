"""Login: gives ``npm login`` an API token, on a server that has its own administrators.

npm knows two ways, and both work::

    POST /-/v1/login                    begins a web login: where to look, and where to poll
    GET  /-/v1/login/done/<secret>      202 until it is granted, then the token, once
    GET, POST /-/v1/login/page/<name>   the page on which an administrator signs in and chooses the token's scopes
    PUT  /-/user/org.couchdb.user:NAME  name and password at once; the token may do everything

It is above Authenticate, because npm also sends its old token, which must not be checked here. Every other path
goes to *app*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nproxy_mw.access import Administrators, Grant, Principal, check_manages
from nproxy_mw.accounts.pending_logins import PendingLogins
from nproxy_mw.errors import BadRequest, Forbidden, Unauthenticated
from nproxy_mw.http.context import context_of
from nproxy_mw.http.handlers import VerbTable
from nproxy_mw.http.json_bodies import CREDENTIALS, read_object
from nproxy_mw.http.messages import NO_STORE, Response, json_response, send
from nproxy_mw.http.sites import base_url, refuse_other_sites
from nproxy_mw.middleware.login.browser import LoginHandler, LoginPage, LoginRequest
from nproxy_mw.orgs.tokens import TokenStore
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, utc_now

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

POLL_SECONDS = 2

_WEB = "/-/v1/login"
_PATH = re.compile(
    rf"(?P<web>{_WEB})|{_WEB}/done/(?P<done>.+)|{_WEB}/page/(?P<page>.+)"
    r"|/-/user/org\.couchdb\.user:(?P<user>[^/]+)(?:/-rev/[^/]+)?",
    re.ASCII,
)
_EVERYTHING = frozenset(Grant)


class Login:
    """Creates tokens in *tokens*, those of the organization *org*, for its *administrators*.

    *storage* is the organization's own. Logins wait there, so that any process can continue one. If *public_url* is
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
        self.org = org
        self.tokens = tokens
        self.administrators = administrators
        self.public_url = public_url
        self.logins = PendingLogins(storage, clock=clock)
        page = LoginPage(org, self.logins, administrators, public_url)
        self._tables: Mapping[str, VerbTable[LoginHandler]] = {
            "web": VerbTable({"POST": self._begin}),
            "done": VerbTable({"GET": self._poll}, head=False),
            "page": VerbTable({"GET": page.show, "POST": page.grant}),
            "user": VerbTable({"PUT": self._legacy}),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        match = _PATH.fullmatch(path)
        place = match and match.lastgroup
        if match is None or place is None or (place == "user" and environ["REQUEST_METHOD"] != "PUT"):
            return self.app(environ, start_response)
        request = LoginRequest(environ, context_of(environ, by="Login"), match[place])
        return send(environ, start_response, self._tables[place].find(environ)(request))

    def _begin(self, request: LoginRequest) -> Response:
        refuse_other_sites(request.environ)
        self._require_somebody()
        name, secret = self.logins.begin(request.actor)
        base = f"{base_url(request.environ, self.public_url)}{_WEB}"
        return json_response({"loginUrl": f"{base}/page/{name}", "doneUrl": f"{base}/done/{secret}"}, headers=NO_STORE)

    def _poll(self, request: LoginRequest) -> Response:
        granted = self.logins.collect(request.name)
        if granted is None:
            # npm asks again without a pause when no header says how long to wait.
            return json_response({}, 202, [*NO_STORE, ("Retry-After", str(POLL_SECONDS))])
        token = self._token(request, granted.administrator, granted.grants)
        return json_response({"token": token}, headers=NO_STORE)

    def _legacy(self, request: LoginRequest) -> Response:
        refuse_other_sites(request.environ)
        document = read_object(request.environ, CREDENTIALS)
        self._require_somebody()
        name, password = document.get("name"), document.get("password")
        if name != request.name or not isinstance(password, str):
            raise BadRequest("A login names the user of its URL, and the password.", code="invalid-login")
        try:
            administrator = self.administrators.verify(name, password, actor=request.actor)
        except Unauthenticated as error:
            raise Unauthenticated(error.message, scheme="Basic", code=error.code) from error
        check_manages(administrator, self.org)
        token = self._token(request, administrator.name, _EVERYTHING)
        answer = {"ok": True, "id": f"org.couchdb.user:{administrator.name}", "token": token}
        return json_response(answer, 201, NO_STORE)

    def _require_somebody(self) -> None:
        if not self.administrators.anybody_manages(self.org):
            raise Forbidden(
                "Nobody can log in here yet: create an account with 'nproxy-mw admin create NAME', or a token with "
                "'nproxy-mw token create'.",
                code="no-administrator",
            )

    def _token(self, request: LoginRequest, administrator: str, grants: Iterable[Grant]) -> str:
        request.context.principal = Principal(administrator)
        return self.tokens.create(administrator, grants, actor=request.actor)[0]
