"""A tarball as an answer: its headers, conditions and ranges, whatever it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nproxy_mw.http.messages import File, Headers, Response
from nproxy_mw.http.negotiation import etag_matches, header
from nproxy_mw.npm.documents import Blob, ByteRange, parse_range

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Bytes under a version's name never change, and the number is never given again: a client may keep them. Who may have
# them can depend on who asks, so shared caches stay out. The policy keeps a browser from taking a tarball for a page.
_HEADERS: Headers = (
    ("Content-Type", "application/octet-stream"),
    ("Cache-Control", "private, max-age=31536000, immutable"),
    ("Content-Security-Policy", "sandbox"),
    ("Accept-Ranges", "bytes"),
)
_LONGEST_CONDITION = 256  # characters


def tarball_response(environ: WSGIEnvironment, open_blob: Callable[[ByteRange | None], Blob]) -> Response:
    """Returns the tarball that *open_blob* opens, the part of it that the client asks for, or 304.

    *open_blob* is called with that part, or with None for the whole. What it raises comes out.
    """
    blob = open_blob(parse_range(header(environ, "HTTP_RANGE")) if "HTTP_RANGE" in environ else None)
    if blob.part and not _is_same(environ, blob):
        blob.close()
        blob = open_blob(None)
    validators = _validators(blob)
    if _is_unmodified(environ, blob):
        blob.close()
        return Response(304, [*_HEADERS[1:], *validators])
    if blob.part is not None:
        headers = [*_HEADERS, *validators, ("Content-Range", str(blob.part)), ("Content-Length", str(blob.size))]
        return Response(206, headers, blob)
    if blob.file is not None and blob.size is not None:
        return Response(200, [*_HEADERS, *validators], File(blob.file, blob.size))
    length = [] if blob.size is None else [("Content-Length", str(blob.size))]
    return Response(200, [*_HEADERS, *validators, *length], blob)


def etag_of(blob: Blob) -> str:
    """Returns the ETag of the whole tarball: its integrity, or what its source says of it; empty for neither."""
    return f'"{blob.integrity}"' if blob.integrity else blob.etag


def _validators(blob: Blob) -> Headers:
    named = (("ETag", etag_of(blob)), ("Last-Modified", blob.last_modified))
    return [(name, value) for name, value in named if value]


def _is_unmodified(environ: WSGIEnvironment, blob: Blob) -> bool:
    if "HTTP_IF_NONE_MATCH" in environ:
        return etag_matches(environ, etag_of(blob) or '""')
    return blob.last_modified != "" and header(environ, "HTTP_IF_MODIFIED_SINCE") == blob.last_modified


def _is_same(environ: WSGIEnvironment, blob: Blob) -> bool:
    """Whether the part that a client asks for belongs to the tarball that it has the rest of (If-Range)."""
    condition = header(environ, "HTTP_IF_RANGE")
    return not condition or condition in (etag_of(blob), blob.last_modified)
