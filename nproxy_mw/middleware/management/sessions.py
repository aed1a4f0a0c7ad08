"""The calls by which an administrator of a standalone server signs in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nproxy_mw.access import ANONYMOUS, Principal
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.http.bearer import bearer
from nproxy_mw.http.json_bodies import CREDENTIALS
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import DONE, Call, called_by, read_document, reply
from nproxy_mw.middleware.management.operations import ForUsers, Operation, Public
from nproxy_mw.middleware.management.schemas import CREDENTIAL, an_object, ref
from nproxy_mw.rules.values import InvalidFields
from nproxy_mw.times import timestamp

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from nproxy_mw.accounts.administrators import AdministratorStore

LONGEST = 1024  # characters of a name or a password that are looked at


class SessionCalls:
    """Begins and ends the *sessions* of *administrators*."""

    def __init__(self, administrators: AdministratorStore, sessions: SessionStore) -> None:
        self.administrators = administrators
        self.sessions = sessions

    def sign_in(self, environ: WSGIEnvironment) -> Response:
        """Creates a session for a name and its password."""
        document = read_document(environ, "username", "password", limits=CREDENTIALS)
        fields = {key: "This is text." for key in ("username", "password") if not _is_text(document.get(key))}
        if fields:
            raise InvalidFields(fields)
        name, password = document["username"], document["password"]
        administrator = self.administrators.verify(name, password, actor=called_by(ANONYMOUS, environ))
        actor = called_by(Principal(administrator.name), environ)
        secret, expires_at = self.sessions.create(administrator, actor=actor)
        return reply({"session": secret, "expiresAt": timestamp(expires_at)}, 201)

    def sign_out(self, call: Call) -> Response:
        """Ends the session that the call came with."""
        self.sessions.revoke(bearer(call.environ), actor=call.actor)
        return DONE

    def operations(self) -> tuple[Operation, ...]:
        """Returns the two calls."""
        return (
            Operation(
                "POST",
                "/sessions",
                "signIn",
                "Signs an administrator in",
                Public(self.sign_in),
                ref("Session"),
                status="201",
                body=an_object({"username": CREDENTIAL, "password": CREDENTIAL}, closed=True),
                refusals="401 429",
            ),
            Operation(
                "DELETE",
                "/sessions",
                "signOut",
                "Ends the session that the call is made with",
                ForUsers(self.sign_out),
                status="204",
            ),
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST
