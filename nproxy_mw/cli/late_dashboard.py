"""The dashboard, imported when somebody may want a page, so that the registry answers sooner."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.http.late import LateLayer
from nproxy_mw.http.layering import Layer
from nproxy_mw.http.negotiation import header

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from nproxy_mw.accounts.administrators import AdministratorStore

DASHBOARD = "/-/dashboard"
"""Where it lies; `nproxy_mw.middleware.dashboard.BASE`, which would import all of it."""

_PACKAGES = ("jinja2", "markdown_it", "nh3")


def late_dashboard(
    app: WSGIApplication, *, administrators: AdministratorStore, sessions: SessionStore, **options: Any
) -> LateLayer:
    """Returns the `Dashboard` of a server with administrators of its own, over *app*. *options* are its own.

    The pages and their libraries are some 170 modules, a fifth of what the server would import before it listens.
    """
    return LateLayer(app, concerns=_may_be_for_people, make=partial(_dashboard, administrators, sessions, options))


def check_installed() -> None:
    """Returns when the dashboard can be imported.

    Raises:
        ImportError: it cannot; the message says what to install.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ImportError(f"The dashboard needs {missing[0]}: pip install 'nproxy_mw[server]'.")


def _may_be_for_people(environ: WSGIEnvironment) -> bool:
    return environ.get("PATH_INFO", "").startswith(DASHBOARD) or "text/html" in header(environ, "HTTP_ACCEPT")


def _dashboard(administrators: AdministratorStore, sessions: SessionStore, options: dict[str, Any]) -> Layer:
    from nproxy_mw.middleware.dashboard import Dashboard, SessionLogin

    return partial(Dashboard, login=SessionLogin(administrators, sessions), **options)
