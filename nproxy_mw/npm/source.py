"""The port for where packages come from: what a source of packages offers, wherever it has them from.

`nproxy_mw.upstream.remote.Remote` asks a registry; `nproxy_mw.packages.source.StoredPackages` reads what was published
here. A component is a source with another one inside. It changes what the inner source returns: it keeps it, guards it,
or leaves packages out. It passes on everything else, and knows no other component. So components can be combined in any
order, and a host can add its own (``examples/allow_list.py``).

A source raises only the errors that a method names, each with a sentence for the developer whose install it stops. A
`ClientError` (`NotFound`, `Forbidden`, `BadRequest`) holds until the source changes its mind, so a component may keep
it for a minute. A `ServerError` says nothing about the package, and is never kept.

One version and the short forms are derived from the packument, so a component that changes the packument has changed
them, too. It must change the dist-tags itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route

__all__ = ["Blob", "ByteRange", "Document", "Name", "PackageSource", "Route"]


class PackageSource(Protocol):
    """Where packages come from."""

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the full packument of *name*; None when it is still at the revision *unless*.

        *for_write* bypasses everything that is kept: a client is about to change the packument, so it must be current.

        Raises:
            NotFound: there is no such package.
            Forbidden: the source does not hand it out.
            BadRequest: the source refuses to be asked for it.
            UpstreamUnavailable, UpstreamTimeout, Busy, StorageUnavailable: the source cannot answer just now.
        """
        ...

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Returns the version that each dist-tag of *name* points at. Raises as `packument`."""
        ...

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Opens the tarball *filename* (``utils-1.0.0.tgz``, without a scope) of *name*, or a *part* of it.

        A source that cannot read parts opens the whole. The caller closes the blob.

        Raises:
            NotFound: there is no such tarball.
            RangeNotSatisfiable: it has no such part.
            Forbidden, BadRequest: see `packument`.
            UpstreamUnavailable, UpstreamTimeout, Busy, StorageUnavailable: see `packument`; they may come out of the
                blob, too, while it is read.
        """
        ...

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Returns the signing keys or the attestations that *route* names; None when still at the revision *unless*.

        Raises:
            NotFound: the source has none.
            Forbidden, BadRequest, UpstreamUnavailable, UpstreamTimeout, Busy, StorageUnavailable: see `packument`.
        """
        ...
