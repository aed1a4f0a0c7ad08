"""LateDashboard: the dashboard, imported when somebody may want a page, so that the registry answers sooner."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.http.negotiation import header

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from nproxy_mw.accounts.administrators import AdministratorStore

DASHBOARD = "/-/dashboard"
"""Where it lies; `nproxy_mw.middleware.dashboard.BASE`, which would import all of it."""

_PACKAGES = ("jinja2", "markdown_it", "nh3")


class LateDashboard:
    """The `Dashboard` of a server with administrators of its own, over *app*. *options* are those of `Dashboard`.

    What nobody can have opened in a browser goes to *app* at once. The pages and their libraries are some 170 modules,
    a fifth of what the server would import before it listens, and few workers ever show one.
    """

    def __init__(
        self, app: WSGIApplication, *, administrators: AdministratorStore, sessions: SessionStore, **options: Any
    ) -> None:
        self.app = app
        self._make = partial(_dashboard, app, administrators, sessions, options)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        app = self._dashboard if _may_be_for_people(environ) else self.app
        return app(environ, start_response)

    @cached_property
    def _dashboard(self) -> WSGIApplication:
        return self._make()


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


def _dashboard(
    app: WSGIApplication, administrators: AdministratorStore, sessions: SessionStore, options: dict[str, Any]
) -> WSGIApplication:
    from nproxy_mw.middleware.dashboard import Dashboard, SessionLogin

    return Dashboard(app, login=SessionLogin(administrators, sessions), **options)
