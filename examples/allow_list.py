"""A registry that hands out the public packages of a list, and nothing else of the public.

``gunicorn examples.allow_list:application``. A component is a source of packages with another one inside
(`nproxy_mw.npm.source`); it has no base class. This one stands before whatever else public packages come from.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from nproxy_mw import Urllib3Transport, layers, organization_at, stack
from nproxy_mw.access import Actor
from nproxy_mw.errors import Forbidden
from nproxy_mw.npm.source import Blob, ByteRange, Document, Name, PackageSource, Route
from nproxy_mw.stack import front_page, gateway_to


class AllowList:
    """The packages of *source* that are in *names*. Their versions and tarballs are refused alike."""

    def __init__(self, source: PackageSource, names: Collection[str]) -> None:
        self.source = source
        self.names = names

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the packument of a listed package."""
        return self.source.packument(self._listed(name), unless=unless, for_write=for_write)

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Returns the dist-tags of a listed package."""
        return self.source.dist_tags(self._listed(name))

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Opens a tarball of a listed package."""
        return self.source.tarball(self._listed(name), filename, part)

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Returns what the source has: keys belong to no package, and attestations say nothing that is not public."""
        return self.source.document(route, unless=unless)

    def _listed(self, name: Name) -> Name:
        if str(name) not in self.names:
            raise Forbidden("This package is not on our list: ask the platform team to add it.", code="not-listed")
        return name


acme = organization_at(os.environ.get("NPROXY_STORAGE", "nproxy-data"))
acme.settings.ensure_scopes(["@acme"], actor=Actor(name="examples"))
transport = Urllib3Transport(os.environ.get("NPROXY_UPSTREAM", "https://upstream.example"))
gateway = gateway_to(transport, cache=None)
listed = AllowList(gateway.firewall(acme).source, os.environ.get("ALLOWED", "react react-dom").split())

application = stack(*layers(acme, gateway, source=listed), on=front_page)
