"""All pages of the dashboard, and their paths."""

from __future__ import annotations

from nproxy_mw.middleware.dashboard.pages import (
    audit,
    exceptions,
    keys,
    organizations,
    overview,
    package,
    packages,
    people,
    rules,
    settings,
    sign_in,
    start,
    tokens,
    version,
)
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
    Route("people", Offer(people.show, _PLATFORM), Offer(people.create, _PLATFORM)),
    Route("people/{id}", Offer(people.edit, _PLATFORM), Offer(people.save, _PLATFORM)),
    Route("people/{id}/sign-out", None, Offer(people.end_sessions, _PLATFORM)),
    Route("people/{id}/remove", None, Offer(people.remove, _PLATFORM)),
    Route("account", Offer(people.show_account, _SIGNED_IN), Offer(people.change_password, _SIGNED_IN)),
    Route("account/sign-out", None, Offer(people.sign_out_everywhere, _SIGNED_IN)),
    Route("orgs/{org}/overview", Offer(overview.show, _READER)),
    Route("orgs/{org}/start", Offer(start.show, _READER)),
    Route("orgs/{org}/audit", Offer(audit.show, _READER)),
    Route("orgs/{org}/audit/verify", None, Offer(audit.check, _READER)),
    Route("orgs/{org}/audit/export", Offer(audit.export, _READER)),
    Route("orgs/{org}/keys", Offer(keys.show, _READER), Offer(keys.rotate, _ADMINISTRATOR)),
    Route("orgs/{org}/keys/download", Offer(keys.download, _READER)),
    Route("orgs/{org}/rules", Offer(rules.show, _ADMINISTRATOR), Offer(rules.save, _ADMINISTRATOR)),
    Route("orgs/{org}/exceptions", Offer(exceptions.show, _ADMINISTRATOR), Offer(exceptions.add, _ADMINISTRATOR)),
    Route("orgs/{org}/exceptions/remove", None, Offer(exceptions.remove, _ADMINISTRATOR)),
    Route("orgs/{org}/exceptions/requests/{id}", None, Offer(exceptions.answer, _ADMINISTRATOR)),
)
