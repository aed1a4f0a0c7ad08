"""What the security rules did: headers that say it, and the answer to the URL that every refusal names."""

from __future__ import annotations

from nproxy_mw.copies import replace
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.http.context import Context
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import NO_STORE, Response, json_response


def explain(firewall: Firewall, request: Request) -> Response:
    """Returns what each rule says of the package or the version that is asked for. Raises as `Firewall.explain`."""
    route = request.route
    return json_response(firewall.explain(route.package, route.version), headers=NO_STORE)


def with_verdicts(response: Response, context: Context) -> Response:
    """Returns *response* with headers that say what the rules flagged: counts of versions and ids of rules."""
    if not context.verdicts:
        return response
    counts = (("X-NProxy-Blocked", context.versions_blocked), ("X-NProxy-Warned", context.versions_warned))
    told = [(name, str(count)) for name, count in counts if count]
    rules = ", ".join(sorted({rule for _, rule in context.verdicts}))
    return replace(response, headers=[*response.headers, *told, ("X-NProxy-Rules", rules)])
