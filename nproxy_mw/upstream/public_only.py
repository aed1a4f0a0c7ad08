"""A source that is asked for public packages only: the last wall before the upstream.

`ScopeRouter` sends no request for an internal name this way. But names also come out of documents: a public package may
depend on an internal one, and rules look at dependencies. No matter who asks, an internal name stops here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from nproxy_mw.errors import NotFound
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.source import PackageSource


class PublicOnly:
    """Asks *source* for nothing in the internal scopes, which *internal_scopes* returns as they are now."""

    def __init__(self, source: PackageSource, internal_scopes: Callable[[], Collection[str]]) -> None:
        self.source = source
        self.internal_scopes = internal_scopes

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the packument of a public package. See `PackageSource`."""
        return self.source.packument(self._public(name), unless=unless, for_write=for_write)

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Returns the dist-tags of a public package. See `PackageSource`."""
        return self.source.dist_tags(self._public(name))

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Opens a tarball of a public package. See `PackageSource`."""
        return self.source.tarball(self._public(name), filename, part)

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Returns keys, or the attestations of a public package. See `PackageSource`."""
        if route.name is not None:
            self._public(route.name)
        return self.source.document(route, unless=unless)

    def _public(self, name: Name) -> Name:
        if name.scope and name.scope in self.internal_scopes():
            raise NotFound("This package is internal: the upstream is not asked for it.", code="internal-package")
        return name
