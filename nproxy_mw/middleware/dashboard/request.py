"""One request to the dashboard, as the handlers of pages see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from nproxy_mw.access import Actor, User
from nproxy_mw.firewall.firewall import FirewallOf
from nproxy_mw.middleware.dashboard.activity import ActivityCounts
from nproxy_mw.middleware.dashboard.dependents import DependentIndex
from nproxy_mw.middleware.dashboard.forms import SentForm
from nproxy_mw.middleware.dashboard.login import Visitor, VisitorLogin
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.organization import Organization

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Site:
    """What all requests share.

    *registry_url* returns where clients reach an organization's registry; *firewall_of* returns its security rules.
    """

    organizations: OrganizationDirectory
    open: Callable[[str], Organization]
    login: VisitorLogin
    registry_url: Callable[[WSGIEnvironment, str], str]
    firewall_of: FirewallOf
    dependents: DependentIndex = field(default_factory=DependentIndex)
    activity: ActivityCounts = field(default_factory=ActivityCounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A request. *parts* are the named parts of its path; *base* is the path of the dashboard, without a slash at its
    end; *secret* is what the session's cookie holds.
    """

    environ: WSGIEnvironment = field(repr=False)
    site: Site
    visitor: Visitor | None
    actor: Actor
    base: str
    is_secure: bool
    parts: Mapping[str, str] = field(default_factory=dict)
    query: SentForm = field(default_factory=SentForm)
    form: SentForm = field(default_factory=SentForm)
    secret: str = field(default="", repr=False)

    @property
    def user(self) -> User:
        """Who is signed in; nobody, who may do nothing, on the pages that need no session."""
        return self.visitor.user if self.visitor else User("", frozenset())

    @property
    def organization(self) -> Organization:
        """The organization that the path names. Only for handlers of its pages: it was checked before them."""
        return self.site.open(self.parts["org"])

    def link(self, *segments: str) -> str:
        """Returns a path below the dashboard, each segment quoted."""
        return "/".join([self.base, *(quote(segment, safe="@/") for segment in segments)])

    def sign_in_link(self, wanted: str) -> str:
        """Returns where a visitor signs in, to come back to *wanted*, a path below the dashboard."""
        url = self.site.login.sign_in_url
        if url is not None:
            return f"{url}{'&' if '?' in url else '?'}next={quote(f'{self.base}/{wanted}', safe='/')}"
        return self.link("sign-in") + (f"?next={quote(wanted, safe='@/')}" if wanted else "")

    def here(self, *segments: str) -> str:
        """Returns a path below the pages of the organization that this request is about, without `base`."""
        return "/".join(["orgs", self.parts["org"], *(quote(segment, safe="@/") for segment in segments)])
