"""Mount: puts a registry under a path prefix of a host application.

::

    app.wsgi_app = Mount(app.wsgi_app, "/npm", registry(...))             # Flask
    application = Mount(get_wsgi_application(), "/npm", registry(...))    # Django

Requests under the prefix go to the registry, with SCRIPT_NAME and PATH_INFO moved on a copy of the environ; all others
go to the host, untouched.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Mount:
    """Hands requests under *prefix* to *mounted*, and all others to *app*.

    Raises:
        TypeError: *app* or *mounted* is not a WSGI application.
        ValueError: *prefix* is not a path like ``/npm``.
    """

    def __init__(self, app: WSGIApplication, prefix: str, mounted: WSGIApplication) -> None:
        if not callable(app) or not callable(mounted) or not isinstance(prefix, str):
            raise TypeError(
                'Mount takes an application, a prefix and an application: Mount(app, "/npm", registry(...)).'
            )
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ValueError(f"a mount prefix begins with a slash and does not end in one, like /npm; not {prefix!r}")
        self.app = app
        self.prefix = prefix
        self.mounted = mounted

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path != self.prefix and not path.startswith(self.prefix + "/"):
            return self.app(environ, start_response)
        script_name = environ.get("SCRIPT_NAME", "") + self.prefix
        moved = {**environ, "SCRIPT_NAME": script_name, "PATH_INFO": path[len(self.prefix) :]}
        return self.mounted(moved, start_response)
