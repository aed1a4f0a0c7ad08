"""Why a version is held: the answer to the URL that every refusal of the security rules names."""

from __future__ import annotations

from urllib.parse import quote

from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import NO_STORE, Response, json_response
from nproxy_mw.npm.routes import EXPLAIN_PATH
from nproxy_mw.rules.held import Held


def explain(firewall: Firewall, request: Request) -> Response:
    """Returns what each rule says of the package or the version that is asked for. Raises as `Firewall.explain`."""
    route = request.route
    return json_response(firewall.explain(route.package, route.version), headers=NO_STORE)


def explain_url(base: str, held: Held) -> str:
    """Returns the URL below *base* that explains a refusal."""
    return quote("/".join(filter(None, (f"{base}{EXPLAIN_PATH}", held.package, held.version))), safe="%/:[]@~!*()+")
