"""The choice between organizations, and a new one."""

from __future__ import annotations

from nproxy_mw.errors import BadRequest, Conflict
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.paging import page_of
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.orgs.directory import OrganizationRecord


def choose(request: PageRequest) -> Answer:
    """Returns the page of the only organization, or the choice between several."""
    found = _seen(request)
    return Redirect(f"orgs/{found[0].id}/overview") if len(found) == 1 else Redirect("orgs")


def show_all(request: PageRequest) -> Answer:
    """Returns the list of organizations, with a form for one more."""
    return _list(request)


def create(request: PageRequest) -> Answer:
    """Creates an organization."""
    org, name = request.form.text("id"), request.form.text("name") or None
    try:
        made = request.site.organizations.create(org, name, actor=request.actor)
    except (BadRequest, Conflict) as error:
        return _list(request, error.message)
    return Redirect(f"orgs/{made.id}/settings", "organization-created")


def _list(request: PageRequest, problem: str = "") -> Page:
    values = {
        "page": page_of(_seen(request), request.query.text("page")),
        "url_of": lambda org: request.site.registry_url(request.environ, org),
        "problem": problem,
        "id": request.form.text("id"),
        "name": request.form.text("name"),
    }
    return Page("organizations.html", "Organizations", values, 400 if problem else 200)


def _seen(request: PageRequest) -> list[OrganizationRecord]:
    return [one for one in request.site.organizations.list() if request.user.sees(one.id)]
