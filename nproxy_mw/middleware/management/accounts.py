"""The calls about accounts: who may sign in, and what each may do. For platform administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nproxy_mw.access import User
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.errors import Conflict, Forbidden, NotFound, Unauthenticated
from nproxy_mw.http.bearer import bearer
from nproxy_mw.http.json_bodies import CREDENTIALS
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import DONE, Call, reply
from nproxy_mw.middleware.management.operations import ForUsers, Operation
from nproxy_mw.middleware.management.reading import PAGE_SCHEMA, limit_in
from nproxy_mw.middleware.management.schemas import (
    ACCOUNT_NAME,
    CREDENTIAL,
    MAYBE_SLUGS,
    MAYBE_TEXT,
    PASSWORD,
    ROLE,
    SESSION_CURSOR,
    a_list,
    an_object,
    ref,
)
from nproxy_mw.rules.values import InvalidFields, field_at

if TYPE_CHECKING:
    from nproxy_mw.accounts.administrators import AdministratorStore

_PATH = "/accounts"
_ACCOUNT = ref("Account")
_NEW = {"name": ACCOUNT_NAME, "password": PASSWORD}
_LIST = "This is a list of organizations' ids, or null for all of them."


class AccountCalls:
    """Answers for the *accounts* of a standalone server and their *sessions*."""

    def __init__(self, accounts: AdministratorStore, sessions: SessionStore) -> None:
        self.accounts = accounts
        self.sessions = sessions

    def listed(self, call: Call) -> Response:
        """Returns all accounts, by name."""
        _require(call)
        call.query()
        return reply({"accounts": [_shown(user) for user in self.accounts.list()]})

    def create(self, call: Call) -> Response:
        """Creates an account."""
        _require(call)
        document = call.document("name", "password", "role", "organizations", limits=CREDENTIALS)
        made = self.accounts.create(
            document.get("name"),
            document.get("password"),
            role=document.get("role", "administrator"),
            organizations=_organizations(document),
            actor=call.actor,
        )
        return reply(_shown(made), 201)

    def change(self, call: Call) -> Response:
        """Changes the role, the organizations or the password of an account; what is left out stays."""
        _require(call)
        document = call.document("role", "organizations", "password", limits=CREDENTIALS)
        before = self._other(call)
        if "role" in document or "organizations" in document:
            kept = sorted(before.organizations) if before.organizations is not None else None
            organizations = _organizations(document) if "organizations" in document else kept
            role = document.get("role", before.role)
            self.accounts.set_access(call.path["account"], role=role, organizations=organizations, actor=call.actor)
        if "password" in document:
            self.accounts.set_password(call.path["account"], document["password"], actor=call.actor)
        return reply(_shown(self.accounts.find(call.path["account"]) or before))

    def remove(self, call: Call) -> Response:
        """Removes an account, and ends its sessions."""
        _require(call)
        call.query()
        self._other(call)
        self.accounts.remove(call.path["account"], actor=call.actor)
        return DONE

    def list_sessions(self, call: Call) -> Response:
        """Returns a page of the sessions of an account, newest first; the one that the call is made with is marked."""
        name = self._own_or_any(call)
        query, mine = call.query("after", "limit"), self.sessions.id_of(bearer(call.environ))
        limit = limit_in(query)
        with field_at("after"):
            found, cursor = self.sessions.page(name, after=query.get("after"), limit=limit)
        shown = [one.to_document() | {"isCurrent": one.id == mine} for one in found]
        return reply({"sessions": shown, "next": cursor})

    def end_sessions(self, call: Call) -> Response:
        """Ends all sessions of an account, or all but the one that the call is made with."""
        name = self._own_or_any(call)
        keep = call.query("keep").get("keep")
        if keep is None:
            self.accounts.end_sessions(name, actor=call.actor)
        elif keep == "current":
            self.sessions.end_others(name, bearer(call.environ), actor=call.actor)
        else:
            raise InvalidFields({"keep": "This is 'current', or left out."})
        return DONE

    def end_session(self, call: Call) -> Response:
        """Ends one session of an account."""
        name = self._own_or_any(call)
        call.query()
        self.sessions.end(name, call.path["sessionId"], actor=call.actor)
        return DONE

    def change_password(self, call: Call) -> Response:
        """Changes the caller's own password, which ends all their sessions."""
        document = call.document("old", "password", limits=CREDENTIALS)
        if call.path["account"] != call.user.name:
            raise Forbidden("Only the owner of an account knows its present password.", code="missing-role")
        old = document.get("old")
        if not isinstance(old, str):
            raise InvalidFields({"old": "This is the present password, as text."})
        try:
            self.accounts.verify(call.user.name, old, actor=call.actor)
        except Unauthenticated as error:  # the session is good, and the caller stays signed in
            raise Forbidden("The present password is wrong.", code=error.code) from error
        self.accounts.set_password(call.user.name, document.get("password"), actor=call.actor)
        return DONE

    def operations(self) -> tuple[Operation, ...]:
        """Returns the calls about accounts."""
        return (
            Operation(
                "GET",
                _PATH,
                "listAccounts",
                "Who may sign in",
                ForUsers(self.listed),
                an_object({"accounts": a_list(_ACCOUNT)}),
            ),
            Operation(
                "POST",
                _PATH,
                "createAccount",
                "Creates an account; for platform administrators",
                ForUsers(self.create),
                _ACCOUNT,
                status="201",
                body=an_object(_NEW, closed=True, role=ROLE, organizations=MAYBE_SLUGS),
                refusals="409",
            ),
            *self._operations_on_one(),
        )

    def _operations_on_one(self) -> tuple[Operation, ...]:
        one = f"{_PATH}/{{account}}"
        return (
            Operation(
                "PUT",
                one,
                "changeAccount",
                "Changes the role, the organizations or the password of an account; for platform administrators",
                ForUsers(self.change),
                _ACCOUNT,
                body=an_object({}, closed=True, role=ROLE, organizations=MAYBE_SLUGS, password=PASSWORD),
                refusals="409",
            ),
            Operation(
                "DELETE",
                one,
                "removeAccount",
                "Removes an account and ends its sessions",
                ForUsers(self.remove),
                status="204",
                refusals="409",
            ),
            *self._operations_on_sessions(f"{one}/sessions"),
            Operation(
                "PUT",
                f"{one}/password",
                "changePassword",
                "Changes one's own password, and ends all one's sessions",
                ForUsers(self.change_password),
                status="204",
                body=an_object({"old": CREDENTIAL, "password": PASSWORD}, closed=True),
                refusals="429",
            ),
        )

    def _operations_on_sessions(self, path: str) -> tuple[Operation, ...]:
        return (
            Operation(
                "DELETE",
                path,
                "endSessions",
                "Ends all sessions of an account; with `keep=current`, all but the one that the call is made with",
                ForUsers(self.end_sessions),
                status="204",
                query={"keep": {"enum": ["current"]}},
            ),
            Operation(
                "GET",
                path,
                "listSessions",
                "One page of the sessions of an account, newest first: one's own, or any for platform administrators",
                ForUsers(self.list_sessions),
                an_object({"sessions": a_list(ref("SignedInSession")), "next": MAYBE_TEXT}),
                query=PAGE_SCHEMA | {"after": SESSION_CURSOR},
            ),
            Operation(
                "DELETE",
                f"{path}/{{sessionId}}",
                "endSession",
                "Ends one session of an account",
                ForUsers(self.end_session),
                status="204",
            ),
        )

    def _own_or_any(self, call: Call) -> str:
        """The account that the call names: the caller's own, or any for platform administrators."""
        name = call.path["account"]
        if name != call.user.name:
            _require(call)
        if self.accounts.find(name) is None:
            raise _unknown()
        return name

    def _other(self, call: Call) -> User:
        """The account that the call names, which is not the caller's own."""
        found = self.accounts.find(call.path["account"])
        if found is None:
            raise _unknown()
        if found.name == call.user.name:
            raise Conflict(
                "Nobody changes or removes their own account: ask another platform administrator.", code="own-account"
            )
        return found


def _unknown() -> NotFound:
    return NotFound("There is no account with that name.", code="unknown-administrator")


def _require(call: Call) -> None:
    if not call.user.is_platform_administrator:
        raise Forbidden("Accounts are managed by platform administrators: ask one.", code="missing-role")


def _shown(user: User) -> dict[str, Any]:
    listed = sorted(user.organizations) if user.organizations is not None else None
    return {"name": user.name, "role": user.role.value, "organizations": listed}


def _organizations(document: Mapping[str, Any]) -> list[str] | None:
    value = document.get("organizations")
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise InvalidFields({"organizations": _LIST})
    return value
