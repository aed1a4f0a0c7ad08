"""Forms for installers, written from a packument that nobody has split: what they leave out is never built. Pure.

Installers read a fifth of a packument. Slices of everything take longer to make than a form that drops most of them, so
the members that a form has are read by their types, and the decoder passes over the others. Versions that cannot be
read this way are split, as `nproxy_mw.npm.forms` does; both say the same of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Raw

from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.forms import ABBREVIATED, SLIM, TRUE, Form, Places, joined_form, run_at_install, written
from nproxy_mw.npm.installed import InstalledManifest, attributes_besides
from nproxy_mw.npm.once import Once
from nproxy_mw.npm.scripts import NO_SCRIPTS, scripts_in
from nproxy_mw.npm.slices import ABSENT, Packument
from nproxy_mw.npm.typed_packuments import TypedPackument, read_by_type


class _Manifest(msgspec.Struct, omit_defaults=True, gc=False):
    """What is looked at of a manifest. Its subclasses have the other members of a form."""

    dist: dict[str, Raw]
    name: str
    version: str
    scripts: Raw = ABSENT
    hasInstallScript: Raw = ABSENT  # noqa: N815 - npm's name


def _decoder(members: Sequence[str]) -> msgspec.json.Decoder[TypedPackument[_Manifest]]:
    names = {f"member{index}": name for index, name in enumerate(members) if name not in _Manifest.__struct_fields__}
    fields = [(attribute, Raw, ABSENT) for attribute in names]
    manifest = msgspec.defstruct("Manifest", fields, bases=(_Manifest,), rename=names, omit_defaults=True, gc=False)
    return msgspec.json.Decoder(TypedPackument[manifest])  # type: ignore[valid-type]


_OTHERS = {
    Form.ABBREVIATED: attributes_besides((*ABBREVIATED, "scripts")),
    Form.SLIM: attributes_besides((*SLIM, "scripts")),
}
"""What was read for facts and for the other form."""

_DECODERS = {Form.ABBREVIATED: _decoder(ABBREVIATED), Form.SLIM: _decoder(SLIM)}


def written_document(document: Document, form: Form, base_url: str) -> bytes:
    """Returns the JSON of a packument in *form*, as `nproxy_mw.npm.forms.written` does.

    Raises as `Document.packument`.
    """
    quick = _quickly(document, form, base_url) if form in _DECODERS and document.is_as_sent else None
    return quick or written(document.packument, form, base_url)


def _quickly(document: Document, form: Form, base_url: str) -> bytes | None:
    """The JSON of *document* in *form*; None for one that has to be looked at more closely."""
    installed = document.installed()
    if installed is not None:
        return _installed(*installed, form, base_url)
    found = read_by_type(_DECODERS[form], document.text, document.name)
    if found is None:
        return None
    packument, versions = found
    place, finish = Places(document.name, base_url), _FINISH[form]()
    for version, manifest in versions.items():
        place.dist(version, manifest.dist)
        finish(manifest)
    return _joined(packument, versions, form)


def _installed(packument: Packument, versions: Mapping[str, InstalledManifest], form: Form, base_url: str) -> bytes:
    """The JSON of what was read for facts already. It is changed."""
    place, finish, others = Places(packument.name, base_url), _FINISH[form](), _OTHERS[form]
    for version, manifest in versions.items():
        dist = manifest.dist
        dist.tarball = place.tarball(version)
        if dist.attestations is not ABSENT:
            dist.attestations = place.attestations(version, dist.attestations)
        finish(manifest)
        for other in others:
            setattr(manifest, other, ABSENT)
    return _joined(packument, versions, form)


def _joined(packument: Packument, versions: Mapping[str, object], form: Form) -> bytes:
    tags = {tag: version for tag, version in packument.tags.items() if version in versions}
    return joined_form(form, packument.members, tags, versions)


def _abbreviated() -> _Finish:
    runs = Once(lambda raw: run_at_install(scripts_in(raw)), False)

    def finish(manifest: _Scripted) -> None:
        if runs[bytes(manifest.scripts)]:
            manifest.hasInstallScript = TRUE
        manifest.scripts = ABSENT

    return finish


def _slim() -> _Finish:
    short = Once(_short, ABSENT)

    def finish(manifest: _Scripted) -> None:
        manifest.scripts = short[bytes(manifest.scripts)]

    return finish


def _short(raw: Raw) -> Raw:
    scripts = scripts_in(raw)
    return ABSENT if scripts == NO_SCRIPTS else Raw(msgspec.json.encode(scripts))


_Scripted: TypeAlias = _Manifest | InstalledManifest
_Finish: TypeAlias = Callable[[_Scripted], None]
_FINISH: Mapping[Form, Callable[[], _Finish]] = {Form.ABBREVIATED: _abbreviated, Form.SLIM: _slim}
