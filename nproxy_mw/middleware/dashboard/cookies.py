"""The two cookies of the dashboard: the session, and the guard of the sign-in form. Read below its own path alone.

Over TLS their names begin with ``__Host-``: then no other host, not even a sibling or one below, can set them
(https://www.rfc-editor.org/rfc/rfc6265, draft 6265bis section 4.1.3.2). Such a cookie has the path ``/``. Without TLS
a browser may hold several of one name; which of them is ours cannot be told, so none is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.http import dump_cookie

from nproxy_mw.http.negotiation import LONGEST_COOKIES, header

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SESSION = "nproxy_session"
GUARD = "nproxy_form"
FORGET = ("Clear-Site-Data", '"cache"')
"""Goes with the end of a session: browsers that know it throw away the pages that were shown
(https://www.w3.org/TR/clear-site-data/)."""
_LONGEST = 512  # characters of a value


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. *path* is that of the dashboard; *is_secure* says that clients reach it over TLS."""

    name: str
    path: str
    is_secure: bool

    @property
    def sent_name(self) -> str:
        """The name as browsers send it."""
        return f"__Host-{self.name}" if self.is_secure else self.name

    def read(self, environ: WSGIEnvironment) -> str:
        """Returns the value; empty when there is none, or more than one."""
        pairs = (pair.partition("=") for pair in header(environ, "HTTP_COOKIE", LONGEST_COOKIES).split(";"))
        values = [value.strip() for name, _, value in pairs if name.strip() == self.sent_name]
        return values[0] if len(values) == 1 and len(values[0]) <= _LONGEST else ""

    def set(self, value: str, seconds: int | None = None) -> tuple[str, str]:
        """Returns the header that stores *value*; for *seconds*, or until the browser is closed."""
        path = "/" if self.is_secure else self.path
        return "Set-Cookie", dump_cookie(
            self.sent_name, value, max_age=seconds, path=path, secure=self.is_secure, httponly=True, samesite="Strict"
        )

    def clear(self) -> tuple[str, str]:
        """Returns the header that removes it."""
        return self.set("", 0)
