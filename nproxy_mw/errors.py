"""Everything that can go wrong, as one tree.

Each leaf knows its HTTP status and a kebab-case code; ``middleware.error_responses`` is the one place that turns it
into an answer. The message is a whole sentence a developer at a terminal can act on.

::

    NproxyError
    ├── ClientError              the request must change
    │   ├── BadRequest           400  not a name, not a publish document, a mismatch
    │   ├── Unauthenticated      401  no token where one is needed, or a wrong one
    │   ├── Forbidden            403  the token lacks the scope; a rule says no
    │   ├── NotFound             404  no such package, version, tarball or route
    │   ├── MethodNotAllowed     405  the verb is not offered here
    │   ├── Conflict             409  the version exists already; a stale revision
    │   ├── LengthRequired       411  a body of unknown length the server did not hand over
    │   ├── PayloadTooLarge      413  over the limit
    │   ├── RangeNotSatisfiable  416  the tarball has no such range
    │   └── TooManyRequests      429  slow down
    ├── ServerError              the same request may succeed later
    │   ├── UpstreamUnavailable  502  the upstream did not answer, or not sensibly
    │   ├── Busy                 503  a lock or a race was not won in time
    │   ├── StorageUnavailable   503  the storage cannot be read or written just now
    │   └── UpstreamTimeout      504  the upstream took too long
    └── StorageError             what the storage port says; a caller decides what it means
        ├── Missing              no object under that key
        ├── Exists               create found the key taken
        └── Changed              replace or delete found another revision

Outside the tree: ``MissingLayer`` is a mistake in the host's composition, and any other exception is a bug.
"""

from __future__ import annotations

from typing import Any, ClassVar


class NproxyError(Exception):
    """Root of the tree. Never raised itself."""

    status: ClassVar[int] = 500
    code: str = "internal-error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def headers(self) -> list[tuple[str, str]]:
        """Response headers this error asks for in addition to the JSON body."""
        return []

    def details(self) -> dict[str, Any]:
        """Members of the JSON body in addition to ``error`` and ``code``."""
        return {}


class ClientError(NproxyError):
    """The request must change before it can succeed. Never raised itself.

    ``see`` is a URL that says more to the one who was refused; empty where there is none.
    """

    see = ""


class BadRequest(ClientError, ValueError):
    """400: the request is malformed or contradicts itself."""

    status = 400
    code = "bad-request"


def invalid_cursor() -> BadRequest:
    """Returns what is raised for a cursor that no page of a list gave."""
    return BadRequest("No page begins there: give 'next' of the page before, or nothing.", code="invalid-cursor")


class Unauthenticated(ClientError):
    """401: no token where one is needed, or a token that is unknown, revoked or expired.

    *scheme* is ``Basic`` where a name and a password were refused: npm then says that the password is wrong.
    """

    status = 401
    code = "unauthenticated"

    def __init__(self, message: str, *, scheme: str = "Bearer", code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.scheme = scheme

    def headers(self) -> list[tuple[str, str]]:
        if self.scheme != "Bearer":
            return [("WWW-Authenticate", f'{self.scheme} realm="nproxy"')]
        # npm hides the body's `error` when it sees a Bearer challenge, so the sentence stands in both places.
        # Messages of this class are made of constants and settings: nothing a client sent may reach a header.
        sentence = self.message.replace("\\", "").replace('"', "'")
        return [("WWW-Authenticate", f'Bearer realm="nproxy", error_description="{sentence}"')]


class Forbidden(ClientError):
    """403: the caller is known, and may not."""

    status = 403
    code = "forbidden"


class NotFound(ClientError, LookupError):
    """404: no such package, version, tarball or route."""

    status = 404
    code = "not-found"


class MethodNotAllowed(ClientError):
    """405: the verb is not offered here. *allow* names those that are."""

    status = 405
    code = "method-not-allowed"

    def __init__(self, message: str, *, allow: tuple[str, ...], code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.allow = allow

    def headers(self) -> list[tuple[str, str]]:
        return [("Allow", ", ".join(self.allow))]


class Conflict(ClientError):
    """409: what is stored already contradicts the request."""

    status = 409
    code = "conflict"


class LengthRequired(ClientError):
    """411: a chunked body that this WSGI server cannot hand over."""

    status = 411
    code = "length-required"


class PayloadTooLarge(ClientError):
    """413: the body is over its limit."""

    status = 413
    code = "payload-too-large"


class RangeNotSatisfiable(ClientError):
    """416: the tarball has no such range. *content_range* is ``bytes */381`` where its length is known."""

    status = 416
    code = "invalid-range"

    def __init__(self, message: str, *, content_range: str = "", code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.content_range = content_range

    def headers(self) -> list[tuple[str, str]]:
        return [("Content-Range", self.content_range)] if self.content_range else []


class RetryLater(NproxyError):
    """An answer with ``Retry-After``. Never raised itself; *retry_after* is in seconds."""

    def __init__(self, message: str, *, retry_after: int = 1, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after

    def headers(self) -> list[tuple[str, str]]:
        return [("Retry-After", str(self.retry_after))]


class TooManyRequests(ClientError, RetryLater):
    """429: slow down."""

    status = 429
    code = "too-many-requests"


class ServerError(NproxyError):
    """The same request may succeed later. Never raised itself."""


class UpstreamUnavailable(ServerError):
    """502: the upstream did not answer, or not with what its protocol promises."""

    status = 502
    code = "upstream-unavailable"


class Busy(ServerError, RetryLater):
    """503: a lock was not had in time, or every attempt lost its race. Nothing is stored."""

    status = 503
    code = "busy"


class StorageUnavailable(ServerError, RetryLater):
    """503: the storage cannot be read or written just now (full, read-only, unreachable)."""

    status = 503
    code = "storage-unavailable"


class UpstreamTimeout(ServerError):
    """504: the upstream took too long."""

    status = 504
    code = "upstream-timeout"


class StorageError(NproxyError):
    """What the storage port says of one key. Never raised itself."""


class Missing(StorageError, LookupError):
    """There is no object under that key."""


class Exists(StorageError):
    """``create`` found the key taken."""


class Changed(StorageError):
    """``replace`` or ``delete`` found another revision than the one given."""


class MissingLayer(RuntimeError):
    """A layer was composed without one it needs above it. The message names the cure."""

    status = 500
