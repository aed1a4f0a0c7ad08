"""The history of a package, read from a packument that nobody has split. Pure.

Facts are made of a tenth of a packument. One that cannot be read by type is split, and read as `nproxy_mw.npm.history`
does; both say the same of it.
"""

from __future__ import annotations

import msgspec

from nproxy_mw.npm.facts import History
from nproxy_mw.npm.history import Described, history_of
from nproxy_mw.npm.typed_packuments import TypedPackument, read_by_type


class _Version(Described, kw_only=True, gc=False):
    name: str
    version: str


_DECODER = msgspec.json.Decoder(TypedPackument[_Version])


def quick_history(text: bytes, name: str) -> History | None:
    """Returns the history of the package *name*, whose packument is *text*, as `nproxy_mw.npm.slices.readable` left it.

    None for one that has to be looked at more closely. Raises as `nproxy_mw.npm.slices.split`.
    """
    found = read_by_type(_DECODER, text, name)
    return None if found is None else history_of(*found)
