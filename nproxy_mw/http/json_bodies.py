"""JSON bodies of requests: each route reads as much as its purpose needs, and what is beyond is never parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nproxy_mw.errors import BadRequest
from nproxy_mw.http.bodies import PUBLISH_LIMIT, read_body
from nproxy_mw.json_values import MAX_DEPTH, MAX_MARKS, parse_value

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class JsonLimits(Struct, frozen=True):
    """How much JSON a route takes.

    *size* is in bytes, of the body as it came and after its Content-Encoding is undone. *marks* counts quotes, commas,
    colons and brackets: some bytes of gzip can hold millions of them, and each value takes memory. *depth* counts
    containers within containers.
    """

    size: int
    marks: int
    depth: int


CREDENTIALS = JsonLimits(16 * 1024, 1_000, 10)
"""A name and a password; anybody may send them."""

TAG = JsonLimits(4096, 10, 1)
"""One version as a JSON string."""

BULK_AUDIT = JsonLimits(4 * 2**20, 400_000, 10)
"""Some 50,000 packages with a version each; a large project has 5,000. Anybody may send one."""

QUICK_AUDIT = JsonLimits(8 * 2**20, 1_000_000, 500)
"""A whole tree, as pnpm 10 sends it: some 60 marks for a package. It nests as deep as packages depend on each other."""

MANAGEMENT = JsonLimits(2 * 2**20, 500_000, 20)
"""A change of settings, by an administrator; a thousand exceptions with their reasons have about one mebibyte."""

EXCEPTION_REQUEST = JsonLimits(8 * 1024, 500, 10)
"""A body that is kept as it came, and that a token may send."""

PUBLICATION = JsonLimits(PUBLISH_LIMIT, MAX_MARKS, MAX_DEPTH)
"""A publish document, with the tarball in base64; or a whole packument that comes back changed."""


def read_json(environ: WSGIEnvironment, limits: JsonLimits) -> Any:
    """Returns the body of a request, parsed.

    Raises:
        BadRequest: it is not JSON, has more than one reading, or holds more than *limits* allow.
        PayloadTooLarge, LengthRequired: see `read_body`.
    """
    return parse_value(read_body(environ, limits.size), max_marks=limits.marks, max_depth=limits.depth)


def read_object(environ: WSGIEnvironment, limits: JsonLimits) -> dict[str, Any]:
    """Returns the body of a request, a JSON object. Raises as `read_json`; `BadRequest` also for any other value."""
    value = read_json(environ, limits)
    if not isinstance(value, dict):
        raise BadRequest("The request body must be a JSON object.", code="invalid-json")
    return value
