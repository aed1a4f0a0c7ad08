"""Who reads an explanation without a session: anyone who holds an API token of the organization.

The token is typed into a form and sent in its body, so it stands in no URL and no log. It opens the one answer to that
form, and nothing is remembered of it: no cookie, no hidden field. Guessing is slowed down like signing in, by network.
"""

from __future__ import annotations

from nproxy_mw.access import Actor, Grant, check_address, require
from nproxy_mw.accounts.attempts import Attempts
from nproxy_mw.errors import Unauthenticated
from nproxy_mw.http.context import actor_of, context_of
from nproxy_mw.middleware.dashboard.request import PageRequest

TOKEN = "token"  # noqa: S105 - the name of a field


def holder_of_token(request: PageRequest) -> Actor:
    """Returns who sent a form with an API token of the organization in the path that may install packages.

    Raises:
        Unauthenticated: it is no such token, or there is no such organization: the answer does not say which.
        Forbidden: the token may not install packages, or not be used from this address.
        TooManyRequests: there were too many attempts.
    """
    org, ip = request.parts["org"], request.actor.ip
    attempts = Attempts(request.site.organizations.storage)
    attempt = attempts.begin(f"token {org}", ip)
    is_there = request.site.organizations.exists(org)
    principal = request.site.open(org).tokens.find(request.form.text(TOKEN)) if is_there else None
    if principal is None:
        raise Unauthenticated("This API token is unknown, revoked or expired.", code="invalid-token")
    attempts.withdraw(attempt)
    check_address(principal, ip)
    require(principal, Grant.PROXY)
    context = context_of(request.environ, by="Dashboard")
    context.principal = principal
    return actor_of(context, request.environ)
