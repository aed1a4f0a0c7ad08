"""Get started: what each client needs to use this registry."""

from __future__ import annotations

from urllib.parse import urlsplit

from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.client_setup import VARIABLE, client_setups

LONGEST = 10  # scopes that the lines name; the others follow the same pattern


def show(request: PageRequest) -> Answer:
    """Returns the lines for this registry and its scopes."""
    settings = request.organization.settings.get()
    url = request.site.registry_url(request.environ, request.parts["org"])
    scopes = settings.internal_scopes[:LONGEST]
    values = {
        "url": url,
        "scopes": scopes,
        "setups": client_setups(url, scopes, public_reads=settings.public_reads) if scopes else (),
        "public_reads": settings.public_reads,
        "is_plain": urlsplit(url).scheme == "http",
        "variable": VARIABLE,
    }
    return Page("start.html", "Get started", values)
