"""Addresses of the upstream in what it says, turned into ours and back."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import Struct


class UrlRewriter(Struct, frozen=True):
    """Makes documents of the upstream at *upstream_url* say *base_url* instead; both without a trailing slash."""

    upstream_url: str
    base_url: str

    def to_local(self, text: bytes) -> bytes:
        """Returns *text* with every URL of the upstream, by http or https, turned into one of ours."""
        upstream = urlsplit(self.upstream_url)
        # Most documents hold none; then this look is all they cost.
        if (upstream.hostname or "").encode() not in text:
            return text
        prefix = re.escape(upstream.path.encode()).replace(b"/", _SLASH)
        base = self.base_url.encode()
        text = re.sub(_origin(self.upstream_url) + prefix + rb"(?=[/\"?#\s\\]|$)", lambda _: base, text)
        # A registry of ours at the upstream's own origin has nothing to hide, and its URLs must stay.
        if re.match(_origin(self.upstream_url), base):
            return text
        return re.sub(_origin(self.upstream_url), lambda _: base, text)

    def to_upstream(self, text: bytes) -> bytes:
        """Returns *text* with our URLs turned back into the upstream's.

        So a packument that a client was given here, changed and sends back says what the upstream said.
        """
        rest = self.base_url.partition("://")[2]
        # By either scheme: npm writes a tarball's URL with http, whatever the registry's is.
        ours = rb"https?://" + re.escape(rest.encode()) + rb"(?=[/\"?#\s\\]|$)"
        return re.sub(ours, lambda _: self.upstream_url.encode(), text)

    def to_local_text(self, text: str) -> str:
        """Returns a sentence as `to_local` does, and without the bare name of the upstream's host."""
        text = self.to_local(text.encode("utf-8", "replace")).decode()
        host = urlsplit(self.upstream_url).hostname or ""
        if host == urlsplit(self.base_url).hostname:
            return text
        return re.sub(rf"(?<![\w.-]){re.escape(host)}(?::\d+)?(?![\w-])", "the upstream registry", text)


# JSON may write a slash as \/, and some servers do.
_SLASH = rb"\\?/"


def _origin(url: str) -> bytes:
    """Returns a pattern for the origin of *url* by either scheme, its default port written or not, nothing longer."""
    parsed = urlsplit(url)
    host = re.escape((parsed.netloc.rpartition(":")[0] if parsed.port else parsed.netloc).encode())
    port = b":%d" % parsed.port if parsed.port else rb"(?::80|:443)?"
    return rb"https?:" + _SLASH * 2 + host + port + rb"(?![\w:-]|\.\w)"
