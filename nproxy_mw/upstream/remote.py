"""The upstream registry as a source of packages, and the writes and audits that it is handed. Nothing is kept here.

Works with the poorest mirror: one that knows only the full packument, tarballs at their conventional place, and nothing
else of the protocol. What an unusual answer means stands in `nproxy_mw.upstream.refusals`.

A document's revision is a digest of its bytes as they came, with the upstream's own validators behind it. So the next
request can be a conditional one, and an upstream that has no validators is still seen not to have changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import orjson
from msgspec import Raw

from nproxy_mw.errors import NotFound, NproxyError, RangeNotSatisfiable, UpstreamUnavailable
from nproxy_mw.http.messages import Headers
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.forms import pointing_tags
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.npm.slices import MAX_BYTES, as_text, members_of, outline
from nproxy_mw.upstream.refusals import REASON_LIMIT, error_of, is_error_object, reason_of, refusal
from nproxy_mw.upstream.responses import UnusableAnswer, UpstreamResponse
from nproxy_mw.upstream.rewriting import UrlRewriter
from nproxy_mw.upstream.tarballs import opened
from nproxy_mw.upstream.targets import version_of_tarball, wire_target
from nproxy_mw.upstream.transport import Transport

MAX_DOCUMENT = 16 * 2**20  # bytes, decoded: keys, attestations, advisories
MAX_REPLY = 2**20  # bytes: what is said to a write

_JSON: Headers = (("Accept", "application/json"), ("Accept-Encoding", "gzip"))
# Identity: a .tgz that was encoded once more for the way would not match its integrity.
_TARBALL: Headers = (("Accept", "*/*"), ("Accept-Encoding", "identity"))
_NOT_OFFERED = frozenset({400, 404, 405, 410, 501})
_HERE = frozenset({416, 429})  # a tarball that is refused with one of these lies where it was asked for
_SMALL = 64 * 1024  # bytes: error objects are no larger
_NO_SUCH_RANGE = re.compile(r"bytes \*/[0-9]{1,15}", re.ASCII)
_SPACE = b"\xef\xbb\xbf \t\r\n"
_WHAT = {Kind.KEYS: "signing keys", Kind.ATTESTATIONS: "attestation"}


class Remote:
    """The registry behind *transport*: a `nproxy_mw.npm.source.PackageSource`.

    Each call is one request unless its docstring says otherwise. A 304 is not read any further.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @property
    def url(self) -> str:
        """The URL of the upstream, which no response may show."""
        return self.transport.upstream_url

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Asks for the full packument, conditionally when *unless* has validators. See `PackageSource`."""
        target = wire_target(Route(Kind.PACKUMENT, name)) + ("?write=true" if for_write else "")
        return self._document(target, "package", MAX_BYTES, unless, str(name))

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Asks for the dist-tags, then for the packument where they are not offered. See `PackageSource`."""
        target = wire_target(Route(Kind.DIST_TAGS, name))
        try:
            document = self._document(target, "package", MAX_DOCUMENT, "", absent=_NOT_OFFERED)
        except NotFound:
            document = self.packument(name)
            assert document is not None  # noqa: S101 - no condition was set
            with document.alone():
                return pointing_tags(document.packument)
        assert document is not None  # noqa: S101 - no condition was set
        return {tag: version for tag, raw in document.members.items() if (version := as_text(raw))}

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Asks for keys or attestations. See `PackageSource`."""
        return self._document(wire_target(route), _WHAT[route.kind], MAX_DOCUMENT, unless, absent=_NOT_OFFERED)

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Asks for a tarball at its conventional place, then where the packument says it lies. See `PackageSource`."""
        headers = (*_TARBALL, *((("Range", str(part)),) if part else ()))
        target = wire_target(Route(Kind.TARBALL, name, filename=filename))
        answer = self.transport.send("GET", target, headers)
        if answer.status in range(400, 500) and answer.status not in _HERE:
            refused = self._refused(answer, "tarball")
            place = self._place(name, filename)
            if place in ("", f"{self.url}{target}"):
                raise refused
            answer = self.transport.fetch("GET", place, headers)
        return self._opened(answer, part)

    def audit(self, route: Route, body: Any) -> dict[str, Raw] | None:
        """Returns what the upstream says to an audit *body* that names nothing internal; None when it has no audits.

        Raises:
            Forbidden, BadRequest, Busy, UpstreamUnavailable, UpstreamTimeout: it refuses, or cannot answer just now.
        """
        headers = (*_JSON, ("Content-Type", "application/json"))
        answer = self.transport.send("POST", wire_target(route), headers, orjson.dumps(body))
        if answer.status in _NOT_OFFERED:
            answer.close()
            return None
        if answer.status != 200:
            raise self._refused(answer, "audit")
        with answer:
            return outline(answer.read(MAX_DOCUMENT))

    def write(
        self, method: str, route: Route, headers: Headers, body: Iterable[bytes]
    ) -> tuple[UpstreamResponse, bytes]:
        """Sends a client's publish, deprecation, tag or unpublish up, and returns the answer with its body.

        Raises:
            Busy, UpstreamUnavailable, UpstreamTimeout: the upstream failed; other refusals are for the caller to relay.
        """
        target = wire_target(route)
        with self.transport.send(method, target, (("Accept", "application/json"), *headers), body) as answer:
            if answer.status == 429 or answer.status >= 500 or answer.status in range(300, 400):
                raise refusal(answer.status, "package", retry_after=answer.header("retry-after"))
            return answer, answer.read(MAX_REPLY)

    def _document(
        self, target: str, what: str, limit: int, unless: str, name: str = "", absent: frozenset[int] = frozenset()
    ) -> Document | None:
        conditions = _conditions(unless)
        answer = self.transport.send("GET", target, (*_JSON, *conditions))
        if answer.status == 304 and conditions:
            answer.close()
            return None
        if answer.status != 200:
            raise self._refused(answer, what) if answer.status not in absent else _no_such(answer, what)
        with answer:
            document = _read(answer, limit, name)
            try:
                self._check(document, what)
            except UpstreamUnavailable as error:
                raise UnusableAnswer(error.message) from error
        return document if _digest(document.revision) != _digest(unless) else None

    def _check(self, document: Document, what: str) -> None:
        """Passes when *document* looks like one. What is large is looked into by who uses it, one at a time."""
        head = document.raw[:_SMALL].lstrip(_SPACE)
        if head.rstrip(_SPACE) == b"null":
            raise NotFound(f"The upstream registry has no such {what}.")
        if not head.startswith(b"{"):
            raise UnusableAnswer("The upstream registry's answer is not the JSON that its protocol promises.")
        if len(document.raw) <= _SMALL and is_error_object(document.members):
            raise error_of(document.members, what, self._hidden)

    def _opened(self, answer: UpstreamResponse, part: ByteRange | None) -> Blob:
        if answer.status == 416 and part:
            answer.close()
            raise RangeNotSatisfiable("The tarball has no such range.", content_range=_known_size(answer))
        if answer.status >= 400:
            raise self._refused(answer, "tarball")
        try:
            return opened(answer, part)
        except BaseException:
            answer.drop()
            raise

    def _refused(self, answer: UpstreamResponse, what: str) -> NproxyError:
        """Returns the error for *answer*, which is read to its end and closed, with the reason that it gives."""
        reason = ""
        with suppress(NproxyError), answer:
            reason = reason_of(answer.read(REASON_LIMIT))
        return refusal(answer.status, what, self._hidden(reason), retry_after=answer.header("retry-after"))

    def _hidden(self, reason: str) -> str:
        return UrlRewriter(self.url, "the upstream registry").to_local_text(reason)

    def _place(self, name: Name, filename: str) -> str:
        """Returns where the packument says that a tarball lies; empty when it does not say."""
        try:
            document = self.packument(name)
        except NotFound:
            return ""
        assert document is not None  # noqa: S101 - no condition was set
        with document.alone():
            manifest = document.packument.versions.get(version_of_tarball(name, filename), {})
        return as_text(members_of(manifest.get("dist")).get("tarball")) or ""


def _read(answer: UpstreamResponse, limit: int, name: str) -> Document:
    raw, gzipped = answer.read_both(limit)
    etag, last_modified = answer.validator("etag"), answer.validator("last-modified")
    digest = blake2b(gzipped or raw, digest_size=16).hexdigest()
    revision = "\n".join((digest, etag, last_modified))
    return Document(raw, revision, name=name, gzipped=gzipped, etag=etag, last_modified=last_modified)


def _no_such(answer: UpstreamResponse, what: str) -> NotFound:
    answer.close()
    return NotFound(f"The upstream registry has no such {what}.")


def _known_size(answer: UpstreamResponse) -> str:
    value = answer.header("content-range")
    return value if _NO_SUCH_RANGE.fullmatch(value) else ""


def _digest(revision: str) -> str:
    return revision.partition("\n")[0]


def _conditions(revision: str) -> Headers:
    """Returns the headers that ask for a document unless it is still at *revision*."""
    _, etag, last_modified = (*revision.split("\n"), "", "")[:3]
    named = (("If-None-Match", etag), ("If-Modified-Since", last_modified))
    return [(name, value) for name, value in named if value]
