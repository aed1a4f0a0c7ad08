"""All pages of the dashboard, and their paths."""

from __future__ import annotations

from nproxy_mw.middleware.dashboard.pages import organizations, package, packages, settings, sign_in, tokens, version
from nproxy_mw.middleware.dashboard.routes import Access, Offer, Route, Routes

_PUBLIC, _SIGNED_IN, _READER = Access.PUBLIC, Access.SIGNED_IN, Access.READER
_ADMINISTRATOR, _PLATFORM = Access.ADMINISTRATOR, Access.PLATFORM

ROUTES = Routes(
    Route("sign-in", Offer(sign_in.show, _PUBLIC), Offer(sign_in.sign_in, _PUBLIC)),
    Route("sign-out", None, Offer(sign_in.sign_out, _SIGNED_IN)),
    Route("", Offer(organizations.choose, _SIGNED_IN)),
    Route("orgs", Offer(organizations.show_all, _SIGNED_IN), Offer(organizations.create, _PLATFORM)),
    Route("orgs/{org}/tokens", Offer(tokens.show, _ADMINISTRATOR), Offer(tokens.create, _ADMINISTRATOR)),
    Route(
        "orgs/{org}/tokens/revoke-all",
        Offer(tokens.ask_revoke_all, _ADMINISTRATOR),
        Offer(tokens.revoke_all, _ADMINISTRATOR),
    ),
    Route(
        "orgs/{org}/tokens/{id}/revoke", Offer(tokens.ask_revoke, _ADMINISTRATOR), Offer(tokens.revoke, _ADMINISTRATOR)
    ),
    Route("orgs/{org}/settings", Offer(settings.show, _ADMINISTRATOR), Offer(settings.save, _ADMINISTRATOR)),
    Route("orgs/{org}/packages", Offer(packages.show, _READER)),
    Route("orgs/{org}/packages/{package}/-/tag", None, Offer(package.set_tag, _ADMINISTRATOR)),
    Route("orgs/{org}/packages/{package}/-/untag", None, Offer(package.remove_tag, _ADMINISTRATOR)),
    Route("orgs/{org}/packages/{package}/-/deprecate", None, Offer(package.deprecate, _ADMINISTRATOR)),
    Route(
        "orgs/{org}/packages/{package}/-/unpublish",
        Offer(package.ask_unpublish, _ADMINISTRATOR),
        Offer(package.unpublish, _ADMINISTRATOR),
    ),
    Route("orgs/{org}/packages/{package}/-/changes/{version}", Offer(version.show_changes, _READER)),
    Route("orgs/{org}/packages/{package}", Offer(package.show, _READER)),
    Route("orgs/{org}/packages/{package}/{version}", Offer(version.show, _READER)),
)
