"""SendFiles: leaves the sending of tarballs to the server in front, such as nginx, which does it without Python.

::

    application = SendFiles(registry("/srv/npm"), how="x-accel-redirect", folders=["/srv/npm", "/srv/npm-cache"])

A response whose body is a whole file below one of the folders leaves with a header that names the file, and without the
body; the front server puts it in. Everything else passes unchanged: parts of files, bodies from memory or from object
storage, and all errors. What a client sends has no say in it. docs/servers.md has a configuration for nginx.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from nproxy_mw.http.messages import SEND_FILE, File, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ACCEL, SENDFILE = "x-accel-redirect", "x-sendfile"

PREFIX = "/.nproxy-files"
"""Where nginx is told to look; the file's path follows. No package is there, because names never begin with a dot."""

_HEADERS = {ACCEL: ("X-Accel-Redirect", PREFIX), SENDFILE: ("X-Sendfile", "")}


class SendFiles:
    """Lets the server in front send the files below *folders* that *app* responds with.

    *how* is ``x-accel-redirect`` for nginx, or ``x-sendfile`` for Apache with mod_xsendfile and for lighttpd. Clients
    must not reach *app* but through that server: they would get empty bodies.

    Raises:
        TypeError: *app* is not an application, or *folders* is one text.
        ValueError: *how* is neither.
    """

    def __init__(self, app: WSGIApplication, *, how: str, folders: Iterable[str | Path]) -> None:
        if not callable(app) or isinstance(folders, str | Path):
            raise TypeError("SendFiles takes an application, and a list of folders: folders=['/srv/npm'].")
        if how not in _HEADERS:
            raise ValueError(f"how is {ACCEL!r} or {SENDFILE!r}, not {how!r}")
        self.app = app
        self.header, self.prefix = _HEADERS[how]
        self.folders = tuple(f"{Path(folder).absolute()}/" for folder in folders)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app({**environ, SEND_FILE: self._handed_over}, start_response)

    def _handed_over(self, response: Response) -> Response:
        """Returns the response that the front server turns into *response*; or that itself."""
        path = self._path_of(response)
        if path is None:
            return response
        assert isinstance(response.body, File)  # noqa: S101 - only a file has a path
        response.body.stream.close()
        # Every server in front decodes the path, because a header cannot hold all that a path can.
        named = (self.header, self.prefix + quote(path, safe="/@+~!*'()"))
        return Response(response.status, [*response.headers, named], reason=response.reason)

    def _path_of(self, response: Response) -> str | None:
        """Returns the path of the file that the body is, from its first to its last byte; None when it is not one."""
        body = response.body
        if not isinstance(body, File) or response.status != 200:
            return None
        name = getattr(body.stream, "name", None)
        if not isinstance(name, str | os.PathLike) or not str(name).startswith(self.folders):
            return None
        is_whole = body.stream.tell() == 0 and os.fstat(body.stream.fileno()).st_size == body.size
        return str(name) if is_whole else None
