"""The upstream registry, asked by what is wanted of it. Knows npm and the transport, not WSGI.

Works with the poorest mirror: one that knows only the full packument, tarballs at their conventional place, and nothing
else of the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from nproxy_mw.errors import NotFound
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.upstream.documents import parse_object, parse_packument
from nproxy_mw.upstream.relaying import refusal
from nproxy_mw.upstream.responses import Headers, UpstreamResponse
from nproxy_mw.upstream.targets import version_of_tarball, wire_target
from nproxy_mw.upstream.transport import Transport

MAX_PACKUMENT = 256 * 2**20  # bytes, decoded; the largest public packuments have some 30 MiB
MAX_DOCUMENT = 16 * 2**20  # bytes, decoded: keys, attestations, dist-tags, advisories
MAX_REPLY = 2**20  # bytes: what is said to a write

_JSON: Headers = (("Accept", "application/json"), ("Accept-Encoding", "gzip"))
_NOT_OFFERED = frozenset({400, 404, 405, 410, 501})


class Upstream:
    """What can be asked of the registry behind *transport*. Each call is one request, or two where said."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @property
    def url(self) -> str:
        """Where it is: what no answer may show."""
        return self.transport.upstream_url

    def packument(self, name: Name, *, for_write: bool = False) -> dict[str, Any]:
        """The full packument, checked; its URLs are still the upstream's. *for_write* asks past the upstream's caches.

        Raises:
            NotFound: the upstream has no such package.
            Forbidden, Busy, UpstreamUnavailable, UpstreamTimeout: it refuses, or does not answer sensibly.
        """
        target = wire_target(Route(Kind.PACKUMENT, name)) + ("?write=true" if for_write else "")
        with self.transport.send("GET", target, _JSON) as answer:
            _check(answer, "package")
            return parse_packument(answer.read(MAX_PACKUMENT), name)

    def dist_tags(self, name: Name) -> dict[str, Any]:
        """The dist-tags; from the packument (a second request) where the upstream does not offer them by themselves.

        Raises:
            NotFound, Forbidden, Busy, UpstreamUnavailable, UpstreamTimeout: as `packument`.
        """
        tags = self.document(Route(Kind.DIST_TAGS, name), "package")
        if tags is None:
            return dict(self.packument(name)["dist-tags"])
        return {tag: version for tag, version in tags.items() if isinstance(version, str) and tag != "__proto__"}

    def document(self, route: Route, what: str) -> dict[str, Any] | None:
        """A JSON object beside the packages (keys, attestations, dist-tags); None when the upstream has none.

        Raises:
            Forbidden, Busy, UpstreamUnavailable, UpstreamTimeout: as `packument`.
        """
        with self.transport.send("GET", wire_target(route), _JSON) as answer:
            if answer.status in _NOT_OFFERED:
                return None
            _check(answer, what)
            return parse_object(answer.read(MAX_DOCUMENT))

    def audit(self, route: Route, body: Any) -> dict[str, Any] | None:
        """What the upstream says to an audit *body* that names nothing internal; None when it offers no audits.

        Raises:
            Forbidden, Busy, UpstreamUnavailable, UpstreamTimeout: as `packument`.
        """
        headers = (*_JSON, ("Content-Type", "application/json"))
        with self.transport.send("POST", wire_target(route), headers, orjson.dumps(body)) as answer:
            if answer.status in _NOT_OFFERED:
                return None
            _check(answer, "audit")
            return parse_object(answer.read(MAX_DOCUMENT))

    def tarball(self, method: str, name: Name, filename: str, headers: Headers = ()) -> UpstreamResponse:
        """A tarball, to be streamed and closed: 200, 206, 304 or 416.

        It is asked for at its conventional place first. When the upstream has nothing there, the packument says where
        it lies: two requests more.

        Raises:
            NotFound: the upstream has no such tarball.
            Forbidden, Busy, UpstreamUnavailable, UpstreamTimeout: as `packument`; also for one at a foreign origin.
        """
        target = wire_target(Route(Kind.TARBALL, name, filename=filename))
        answer = self.transport.send(method, target, headers)
        if method == "HEAD" and answer.status in (405, 501):
            answer.close()
            answer = self.transport.send("GET", target, headers)
        if answer.status == 404:
            answer.close()
            answer = self.transport.fetch(method, self._place(name, filename, target), headers)
        # A login page or a "not found" page with status 200 is no tarball.
        if answer.status not in (200, 206, 304, 416) or answer.header("content-type").lower().startswith("text/html"):
            answer.close()
            raise refusal(answer.status, answer.header("retry-after"), "tarball")
        return answer

    def write(
        self, method: str, route: Route, headers: Headers, body: Iterable[bytes]
    ) -> tuple[UpstreamResponse, bytes]:
        """Sends a client's publish, deprecation, tag or unpublish up, and reads what is said to it.

        Raises:
            Busy, UpstreamUnavailable, UpstreamTimeout: the upstream failed; other refusals are for the caller to relay.
        """
        target = wire_target(route)
        with self.transport.send(method, target, (("Accept", "application/json"), *headers), body) as answer:
            if answer.status == 429 or answer.status >= 500 or answer.status in range(300, 400):
                raise refusal(answer.status, answer.header("retry-after"), "package")
            return answer, answer.read(MAX_REPLY)

    def _place(self, name: Name, filename: str, asked: str) -> str:
        """Where the packument says that a tarball lies, when that is not where it was *asked* for."""
        version = version_of_tarball(name, filename)
        manifest = self.packument(name)["versions"].get(version, {})
        url = manifest.get("dist", {}).get("tarball")
        if not isinstance(url, str) or url == f"{self.url}{asked}":
            raise NotFound("The upstream registry has no such tarball.")
        return url


def _check(answer: UpstreamResponse, what: str) -> None:
    if answer.status != 200:
        raise refusal(answer.status, answer.header("retry-after"), what)
