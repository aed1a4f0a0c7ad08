"""Who may sign in, and what each may do; and one's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nproxy_mw.access import Role
from nproxy_mw.errors import BadRequest, Conflict, NotFound, TooManyRequests, Unauthenticated
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.cookies import FORGET, SESSION, Cookie
from nproxy_mw.middleware.dashboard.paging import page_of
from nproxy_mw.middleware.dashboard.request import PageRequest

if TYPE_CHECKING:
    from nproxy_mw.accounts.administrators import AdministratorStore
    from nproxy_mw.accounts.sessions import SessionStore

ROLES = {Role.ADMINISTRATOR: "administrator", Role.READER: "reader"}


def show(request: PageRequest) -> Answer:
    """Returns the accounts, and the form for a new one."""
    return _list(request)


def create(request: PageRequest) -> Answer:
    """Creates an account."""
    form = request.form
    try:
        _check_organizations(request)
        _accounts(request).create(
            form.text("name"),
            form.raw("password"),
            role=form.text("role"),
            organizations=_organizations(request),
            actor=request.actor,
        )
    except (BadRequest, Conflict) as error:
        return _list(request, error.message)
    return Redirect("people", "person-created")


def edit(request: PageRequest) -> Answer:
    """Returns the form for one account."""
    return _one(request)


def save(request: PageRequest) -> Answer:
    """Changes the role of an account, or its password when one is given."""
    accounts, name, form = _accounts(request), request.parts["id"], request.form
    try:
        _refuse_self(request)
        _check_organizations(request)
        accounts.set_access(name, role=form.text("role"), organizations=_organizations(request), actor=request.actor)
        if form.raw("password"):
            accounts.set_password(name, form.raw("password"), actor=request.actor)
    except BadRequest as error:
        return _one(request, error.message)
    return Redirect("people", "person-changed")


def end_sessions(request: PageRequest) -> Answer:
    """Ends all sessions of an account."""
    _accounts(request).end_sessions(request.parts["id"], actor=request.actor)
    return Redirect("people", "sessions-ended")


def end_session(request: PageRequest) -> Answer:
    """Ends one session of an account."""
    _sessions(request).end(request.parts["id"], request.parts["session"], actor=request.actor)
    return Redirect(f"people/{request.parts['id']}", "session-ended")


def remove(request: PageRequest) -> Answer:
    """Removes an account when its name was written as asked."""
    try:
        _refuse_self(request)
        if request.form.text("confirm") != request.parts["id"]:
            raise BadRequest("That is not the name of this account: nothing was removed.")
    except BadRequest as error:
        return _one(request, error.message)
    _accounts(request).remove(request.parts["id"], actor=request.actor)
    return Redirect("people", "person-removed")


def show_account(request: PageRequest) -> Answer:
    """Returns one's own account and sessions."""
    return _own(request)


def change_password(request: PageRequest) -> Answer:
    """Changes one's own password, which ends all one's sessions."""
    form, accounts = request.form, _accounts(request)
    try:
        accounts.verify(request.user.name, form.raw("old"), actor=request.actor)
        accounts.set_password(request.user.name, form.raw("password"), actor=request.actor)
    except (BadRequest, TooManyRequests) as error:
        return _own(request, error.message, error.status)
    except Unauthenticated:
        return _own(request, "The present password is wrong.", 403)
    return _left(request, "password-changed")


def end_own_session(request: PageRequest) -> Answer:
    """Ends one of one's own sessions."""
    _sessions(request).end(request.user.name, request.parts["session"], actor=request.actor)
    return Redirect("account", "session-ended")


def end_other_sessions(request: PageRequest) -> Answer:
    """Ends all one's sessions but this one."""
    _sessions(request).end_others(request.user.name, request.secret, actor=request.actor)
    return Redirect("account", "other-sessions-ended")


def sign_out_everywhere(request: PageRequest) -> Answer:
    """Ends all one's sessions, this one too."""
    _accounts(request).end_sessions(request.user.name, actor=request.actor)
    return _left(request, "signed-out-everywhere")


def _left(request: PageRequest, notice: str) -> Redirect:
    return Redirect("sign-in", notice, [Cookie(SESSION, request.base, request.is_secure).clear(), FORGET])


def _accounts(request: PageRequest) -> AdministratorStore:
    accounts = request.site.login.accounts
    if accounts is None:
        raise NotFound("Accounts are those of the application around this page.", code="route-not-found")
    return accounts


def _sessions(request: PageRequest) -> SessionStore:
    sessions = request.site.login.sessions
    if sessions is None:
        raise NotFound("Sessions are those of the application around this page.", code="route-not-found")
    return sessions


def _sessions_of(request: PageRequest, name: str, *place: str) -> dict[str, object]:
    """The sessions of an account, whose page is at *place*."""
    sessions, after = _sessions(request), request.query.text("after") or None
    found, cursor = sessions.page(name, after=after)
    return {
        "sessions": found,
        "after": after,
        "next": cursor,
        "current": sessions.id_of(request.secret),
        "end_url": lambda session: request.link(*place, "sessions", session, "end"),
    }


def _own(request: PageRequest, problem: str = "", status: int = 200) -> Page:
    values = {"problem": problem, **_sessions_of(request, request.user.name, "account")}
    return Page("account.html", "Your account", values, status)


def _organizations(request: PageRequest) -> list[str] | None:
    text = request.form.raw("organizations").replace(",", " ").split()
    return text or None


def _check_organizations(request: PageRequest) -> None:
    for org in _organizations(request) or ():
        if not request.site.organizations.exists(org):
            raise BadRequest(f"There is no organization {org[:63]!r}: see their ids under Organizations.")


def _refuse_self(request: PageRequest) -> None:
    if request.parts["id"] == request.user.name:
        raise BadRequest("Nobody changes or removes their own account here: ask another platform administrator.")


def _list(request: PageRequest, problem: str = "") -> Page:
    users = _accounts(request).list()
    values = {
        "page": page_of(users, request.query.text("page")),
        "roles": ROLES,
        "problem": problem,
        "name": request.form.text("name"),
        "role": request.form.text("role"),
        "organizations": request.form.text("organizations"),
    }
    return Page("people.html", "People", values, 400 if problem else 200)


def _one(request: PageRequest, problem: str = "") -> Page:
    person = _accounts(request).find(request.parts["id"])
    if person is None:
        raise NotFound("There is no account with that name.", code="unknown-administrator")
    values = {"person": person, "roles": ROLES, "problem": problem}
    values |= _sessions_of(request, person.name, "people", person.name)
    return Page("person.html", person.name, values, 400 if problem else 200)
