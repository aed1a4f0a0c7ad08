"""What must hold before a page is made: who is signed in, what they may do, and where a form came from."""

from __future__ import annotations

from nproxy_mw.errors import Forbidden, NotFound, Unauthenticated
from nproxy_mw.http.sites import refuse_other_sites
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.middleware.dashboard.routes import Access

TOKEN_FIELD = "form_token"  # noqa: S105 - the name of a field
_MAY_NOT = "Your role is 'reader': ask an administrator of this organization to do that."
_PLATFORM_ONLY = "This is for platform administrators: ask one of them to do that."
_EXPIRED = "The form had expired: go back, reload the page and send it again."


def check_access(request: PageRequest, access: Access) -> None:
    """Passes when the visitor may use the page.

    Raises:
        Unauthenticated: nobody is signed in.
        NotFound: the path names an organization that does not exist, or that the visitor may not see.
        Forbidden: the visitor's role does not allow it.
    """
    if access is Access.PUBLIC:
        return
    if request.visitor is None:
        raise Unauthenticated("Sign in to see this page.", code="no-session")
    org = request.parts.get("org")
    if org is not None and not (request.user.sees(org) and request.site.organizations.exists(org)):
        raise NotFound("There is no such organization.", code="organization-not-found")
    if access is Access.ADMINISTRATOR and not request.user.manages(org or ""):
        raise Forbidden(_MAY_NOT, code="missing-role")
    if access is Access.PLATFORM and not request.user.is_platform_administrator:
        raise Forbidden(_PLATFORM_ONLY, code="missing-role")


def check_form(request: PageRequest, access: Access) -> None:
    """Passes when a form is one that this visitor's own pages sent. A public page guards its form itself.

    Raises:
        Forbidden: it came from a page of another site, or from another session.
    """
    refuse_other_sites(request.environ)
    if access is not Access.PUBLIC:
        check_form_token(request)


def check_form_token(request: PageRequest) -> None:
    """Passes when a form has the hidden value of this visitor's own pages. Raises `Forbidden`."""
    if request.visitor is None or not request.visitor.accepts(request.form.text(TOKEN_FIELD)):
        raise Forbidden(_EXPIRED, code="stale-form")
