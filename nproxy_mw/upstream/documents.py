"""Packuments of the upstream: checked, completed where a poor mirror leaves things out, and made to point at us.

What is believed of an upstream document: nothing that contradicts its own name. A packument of another package, or a
version filed under another number, is refused whole, so that no name can be answered with the content of another.
What a mirror may leave out (``dist-tags``, ``time``, ``dist``) is left out or made empty. Unknown fields pass.

Unlike the rest of ``npm/``, `parse_packument` owns the document it just parsed and changes it in place: an upstream
packument may have ten megabytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.versions import is_version

_ATTESTATIONS = "/-/npm/v1/attestations/"
# A backslash before another, a whole surrogate pair (both stay), or half of one, which orjson refuses.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_HALF = 6  # bytes of one \uXXXX
_PORTS = {"http": "80", "https": "443"}


def parse_packument(raw: bytes, name: Name) -> dict[str, Any]:
    """Parses what the upstream says of *name*; ``name``, ``dist-tags`` and ``versions`` are there afterwards.

    Raises:
        UpstreamUnavailable: it is not JSON, not a packument, or one of another package.
    """
    packument = parse_object(raw)
    if packument.get("name", str(name)) != str(name):
        raise UpstreamUnavailable("The upstream registry answered with another package than the one asked for.")
    versions = packument.get("versions", {})
    tags = packument.get("dist-tags", {})
    if not isinstance(versions, dict) or not isinstance(tags, dict):
        raise UpstreamUnavailable("The upstream registry's answer is not a packument.")
    # A key that is no version could not be asked for; a tag that dangles breaks clients.
    versions = {key: _checked(manifest, name, key) for key, manifest in versions.items() if is_version(key)}
    packument["name"] = str(name)
    packument["versions"] = versions
    packument["dist-tags"] = {
        tag: version for tag, version in tags.items() if isinstance(version, str) and version in versions
    }
    packument["dist-tags"].pop("__proto__", None)
    if not isinstance(packument.get("time", {}), dict):
        del packument["time"]
    return packument


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parses a JSON object of the upstream, repairing text that was cut in the middle of a character.

    Raises:
        UpstreamUnavailable: it is none.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = _parse_repaired(raw)
    if not isinstance(value, dict):
        raise UpstreamUnavailable("The upstream registry's answer is not the JSON that its protocol promises.")
    return value


def _parse_repaired(raw: bytes) -> Any:
    # Registries cut long readmes at a number of bytes, and leave half a character there.
    whole = raw.decode("utf-8", "replace").encode()
    try:
        return orjson.loads(_SURROGATES.sub(_whole_or_replaced, whole))
    except orjson.JSONDecodeError as error:
        raise UpstreamUnavailable(
            "The upstream registry's answer is not the JSON that its protocol promises."
        ) from error


def _whole_or_replaced(match: re.Match[bytes]) -> bytes:
    found = match.group()
    return rb"\ufffd" if len(found) == _HALF else found


def _checked(manifest: Any, name: Name, version: str) -> dict[str, Any]:
    if (
        not isinstance(manifest, dict)
        or manifest.get("name", str(name)) != str(name)
        or manifest.get("version", version) != version
    ):
        raise UpstreamUnavailable("The upstream registry files a version under another package or number.")
    manifest.setdefault("name", str(name))
    manifest.setdefault("version", version)
    if not isinstance(manifest.get("dist"), dict):
        manifest["dist"] = {}
    return manifest


@dataclass(frozen=True, slots=True)
class UrlRewriter:
    """Makes documents of the upstream at *upstream_url* say *base_url* instead; both without a trailing slash."""

    upstream_url: str
    base_url: str

    def with_local_urls(self, packument: dict[str, Any]) -> dict[str, Any]:
        """Points every tarball and attestation of a freshly parsed packument at us, in place."""
        name: str = packument["name"]
        prefix = f"{self.base_url}/{name}/-/{name.rpartition('/')[2]}-"
        for version, manifest in packument["versions"].items():
            dist = manifest["dist"]
            dist["tarball"] = f"{prefix}{version}.tgz"
            attestations = dist.get("attestations")
            # npm asks for the path of this URL at the registry it is configured with.
            if isinstance(attestations, dict) and "url" in attestations:
                attestations["url"] = f"{self.base_url}{_ATTESTATIONS}{name}@{version}"
        return packument

    def encoded(self, document: Any) -> bytes:
        """*document* as JSON, without the upstream's address anywhere in it."""
        return self.to_local(orjson.dumps(document))

    def to_local(self, text: bytes) -> bytes:
        """*text* with every URL of the upstream, by http or https, turned into one of ours."""
        upstream = urlsplit(self.upstream_url)
        # Most documents hold none; then this look is all they cost.
        if (upstream.hostname or "").encode() not in text:
            return text
        prefix = re.escape(upstream.path.encode())
        base = self.base_url.encode()
        text = re.sub(_origin(self.upstream_url) + prefix + rb"(?=[/\"?#\s\\]|$)", lambda _: base, text)
        # A registry of ours at the upstream's own origin has nothing to hide, and its URLs must stay.
        if re.match(_origin(self.upstream_url), base):
            return text
        return re.sub(_origin(self.upstream_url), lambda _: base, text)

    def returned(self, text: bytes) -> bytes:
        """*text* with our URLs turned back into the upstream's: a packument that a client changed and sends back."""
        rest = self.base_url.partition("://")[2]
        # By either scheme: npm writes a tarball's URL with http, whatever the registry's is.
        ours = rb"https?://" + re.escape(rest.encode()) + rb"(?=[/\"?#\s\\]|$)"
        return re.sub(ours, lambda _: self.upstream_url.encode(), text)

    def to_local_text(self, text: str) -> str:
        """The same for a sentence, where the bare host name is hidden too."""
        text = self.to_local(text.encode("utf-8", "replace")).decode()
        host = urlsplit(self.upstream_url).hostname or ""
        if host == urlsplit(self.base_url).hostname:
            return text
        return re.sub(rf"(?<![\w.-]){re.escape(host)}(?::\d+)?(?![\w-])", "the upstream registry", text)


def _origin(url: str) -> bytes:
    """A pattern for the origin of *url* by either scheme, its default port written or not, and nothing longer."""
    parsed = urlsplit(url)
    host = re.escape((parsed.netloc.rpartition(":")[0] if parsed.port else parsed.netloc).encode())
    port = b":%d" % parsed.port if parsed.port else rb"(?::80|:443)?"
    return rb"https?://" + host + port + rb"(?![\w:-]|\.\w)"
