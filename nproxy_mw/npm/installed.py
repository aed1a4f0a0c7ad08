"""What facts and the forms for installers have of a packument, read by type in one pass. Pure.

Who fetches a packument reads its facts first, and writes a form of it a moment later. Both passes over the text take as
long as this one. What it leaves out is in no form for installers. Packuments that have more in a ``dist`` than is known
here, or what facts would not be read from, are not read this way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from nproxy_mw.npm.forms import ABBREVIATED, SLIM
from nproxy_mw.npm.history import Described, Dist
from nproxy_mw.npm.slices import ABSENT, Packument
from nproxy_mw.npm.typed_packuments import TypedPackument, read_by_type


class WholeDist(Dist, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """All of a manifest's ``dist``."""

    # What is absent stays so; a null is none of these, and such a packument is read otherwise.
    integrity: str | UnsetType = UNSET  # type: ignore[assignment]
    unpackedSize: int | UnsetType = UNSET  # type: ignore[assignment] # noqa: N815 - npm's names
    fileCount: int | UnsetType = UNSET  # type: ignore[assignment] # noqa: N815
    shasum: Raw = ABSENT
    tarball: Raw = ABSENT
    signatures: Raw = ABSENT
    signature: Raw = msgspec.field(default=ABSENT, name="npm-signature")


class InstalledManifest(Described, kw_only=True, omit_defaults=True, gc=False):
    """What is looked at of a manifest. `_DECODER` has one with the other members of the forms, too."""

    dist: WholeDist
    name: str
    version: str
    hasInstallScript: Raw = ABSENT  # noqa: N815


Installed: TypeAlias = tuple[Packument, Mapping[str, InstalledManifest]]
"""A packument without its versions, and those."""


_FORMS = tuple(dict.fromkeys((*SLIM, *ABBREVIATED)))
_KNOWN = InstalledManifest.__struct_encode_fields__
_OTHERS = {f"member{index}": name for index, name in enumerate(_FORMS) if name not in _KNOWN}
_MANIFEST = msgspec.defstruct(
    "Manifest",
    [(attribute, Raw, ABSENT) for attribute in _OTHERS],
    bases=(InstalledManifest,),
    rename=_OTHERS,
    omit_defaults=True,
    kw_only=True,
    gc=False,
)
_DECODER: msgspec.json.Decoder[TypedPackument[InstalledManifest]] = msgspec.json.Decoder(
    TypedPackument[_MANIFEST]  # type: ignore[valid-type]
)
_ATTRIBUTES = dict(zip(_MANIFEST.__struct_encode_fields__, _MANIFEST.__struct_fields__, strict=True))


def read_installed(text: bytes, name: str) -> Installed | None:
    """Returns the packument of the package *name*, if it can be read so. See `read_by_type`."""
    return read_by_type(_DECODER, text, name)


def attributes_besides(members: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the attributes of a manifest that stand for other members than these."""
    return tuple(attribute for name, attribute in _ATTRIBUTES.items() if name not in members)
