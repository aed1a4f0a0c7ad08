"""The style sheet, the script and the icon, each under a name with its digest, so that browsers may keep them."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from nproxy_mw.http.messages import Headers, Response

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_KEEP: Headers = (("Cache-Control", "public, max-age=31536000, immutable"),)


def _load(name: str) -> tuple[str, Response]:
    data = files(__package__).joinpath("static", name).read_bytes()
    stem, _, kind = name.partition(".")
    unique = f"{stem}.{hashlib.sha256(data).hexdigest()[:12]}.{kind}"
    return unique, Response(200, [("Content-Type", _TYPES[kind]), *_KEEP], data)


STYLE, _style = _load("style.css")
SCRIPT, _script = _load("script.js")
ICON, _icon = _load("icon.svg")

ASSETS = {STYLE: _style, SCRIPT: _script, ICON: _icon}
"""What everyone is served, by file name."""
