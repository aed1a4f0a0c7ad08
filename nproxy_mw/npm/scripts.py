"""The scripts of a manifest that an installer asks about. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from nproxy_mw.npm.slices import ABSENT, Members, fields_of


class Scripts(msgspec.Struct, omit_defaults=True, gc=False):
    """Those scripts, as JSON."""

    preinstall: Raw = ABSENT
    install: Raw = ABSENT
    postinstall: Raw = ABSENT
    prepare: Raw = ABSENT


NO_SCRIPTS = Scripts()
_DECODER = msgspec.json.Decoder(Scripts)


def scripts_of(manifest: Members) -> Scripts:
    """Returns the scripts of *manifest* that an installer asks about."""
    return scripts_in(manifest.get("scripts"))


def scripts_in(raw: Raw | None) -> Scripts:
    """Returns those of them that *raw* has, the value of a member ``scripts``."""
    return fields_of(_DECODER, raw, NO_SCRIPTS)
