"""All pages of the dashboard, and their paths."""

from __future__ import annotations

from nproxy_mw.middleware.dashboard.pages import (
    audit,
    exceptions,
    explain,
    firewall,
    incident,
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
from nproxy_mw.middleware.dashboard.routes import Access, Offer, PageRoute, Routes

_PUBLIC, _SIGNED_IN, _READER = Access.PUBLIC, Access.SIGNED_IN, Access.READER
_ADMINISTRATOR, _PLATFORM = Access.ADMINISTRATOR, Access.PLATFORM

ROUTES = Routes(
    PageRoute("sign-in", Offer(sign_in.show, _PUBLIC), Offer(sign_in.sign_in, _PUBLIC)),
    PageRoute("sign-out", None, Offer(sign_in.sign_out, _SIGNED_IN)),
    PageRoute("", Offer(organizations.choose, _SIGNED_IN)),
    PageRoute("orgs", Offer(organizations.show_all, _SIGNED_IN), Offer(organizations.create, _PLATFORM)),
    PageRoute("orgs/{org}/tokens", Offer(tokens.show, _ADMINISTRATOR), Offer(tokens.create, _ADMINISTRATOR)),
    PageRoute(
        "orgs/{org}/tokens/revoke-all",
        Offer(tokens.ask_revoke_all, _ADMINISTRATOR),
        Offer(tokens.revoke_all, _ADMINISTRATOR),
    ),
    PageRoute(
        "orgs/{org}/tokens/{id}/revoke", Offer(tokens.ask_revoke, _ADMINISTRATOR), Offer(tokens.revoke, _ADMINISTRATOR)
    ),
    PageRoute("orgs/{org}/settings", Offer(settings.show, _ADMINISTRATOR), Offer(settings.save, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/packages", Offer(packages.show, _READER)),
    PageRoute("orgs/{org}/packages/{package}/-/tag", None, Offer(package.set_tag, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/packages/{package}/-/untag", None, Offer(package.remove_tag, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/packages/{package}/-/deprecate", None, Offer(package.deprecate, _ADMINISTRATOR)),
    PageRoute(
        "orgs/{org}/packages/{package}/-/unpublish",
        Offer(package.ask_unpublish, _ADMINISTRATOR),
        Offer(package.unpublish, _ADMINISTRATOR),
    ),
    PageRoute("orgs/{org}/packages/{package}/-/changes/{version}", Offer(version.show_changes, _READER)),
    PageRoute("orgs/{org}/packages/{package}", Offer(package.show, _READER)),
    PageRoute("orgs/{org}/packages/{package}/{version}", Offer(version.show, _READER)),
    PageRoute("people", Offer(people.show, _PLATFORM), Offer(people.create, _PLATFORM)),
    PageRoute("people/{id}", Offer(people.edit, _PLATFORM), Offer(people.save, _PLATFORM)),
    PageRoute("people/{id}/sign-out", None, Offer(people.end_sessions, _PLATFORM)),
    PageRoute("people/{id}/sessions/{session}/end", None, Offer(people.end_session, _PLATFORM)),
    PageRoute("people/{id}/remove", None, Offer(people.remove, _PLATFORM)),
    PageRoute("account", Offer(people.show_account, _SIGNED_IN), Offer(people.change_password, _SIGNED_IN)),
    PageRoute("account/sessions/{session}/end", None, Offer(people.end_own_session, _SIGNED_IN)),
    PageRoute("account/sessions/end-others", None, Offer(people.end_other_sessions, _SIGNED_IN)),
    PageRoute("account/sign-out", None, Offer(people.sign_out_everywhere, _SIGNED_IN)),
    PageRoute("orgs/{org}/overview", Offer(overview.show, _READER)),
    PageRoute("orgs/{org}/start", Offer(start.show, _READER)),
    PageRoute("orgs/{org}/firewall", Offer(firewall.show, _READER)),
    PageRoute("orgs/{org}/firewall/export", Offer(firewall.export, _READER)),
    PageRoute("orgs/{org}/explain", Offer(explain.show, _PUBLIC), Offer(explain.show_with_token, _PUBLIC)),
    PageRoute("orgs/{org}/explain/ask", None, Offer(explain.ask_exception, _PUBLIC)),
    PageRoute("orgs/{org}/incident", Offer(incident.show, _READER), Offer(incident.find, _READER)),
    PageRoute("orgs/{org}/incident/export", None, Offer(incident.export, _READER)),
    PageRoute("orgs/{org}/incident/block", None, Offer(incident.block, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/incident/revoke", None, Offer(incident.revoke, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/audit", Offer(audit.show, _READER)),
    PageRoute("orgs/{org}/audit/verify", None, Offer(audit.check, _READER)),
    PageRoute("orgs/{org}/audit/export", Offer(audit.export, _READER)),
    PageRoute("orgs/{org}/keys", Offer(keys.show, _READER), Offer(keys.rotate, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/keys/download", Offer(keys.download, _READER)),
    PageRoute("orgs/{org}/rules", Offer(rules.show, _ADMINISTRATOR), Offer(rules.save, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/rules/preview", None, Offer(rules.ask, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/exceptions", Offer(exceptions.show, _ADMINISTRATOR), Offer(exceptions.add, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/exceptions/remove", None, Offer(exceptions.remove, _ADMINISTRATOR)),
    PageRoute("orgs/{org}/exceptions/requests/{id}", None, Offer(exceptions.answer, _ADMINISTRATOR)),
)
