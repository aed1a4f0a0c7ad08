"""Pages as HTML: the one place that fills in templates, and the headers that every page carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nproxy_mw.http.messages import NO_STORE, Headers
from nproxy_mw.middleware.dashboard.assets import ICON, SCRIPT, STYLE
from nproxy_mw.middleware.dashboard.texts import short, visible
from nproxy_mw.times import timestamp

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

FILE_HEADERS: Headers = (("Cross-Origin-Resource-Policy", "same-origin"), *NO_STORE)
"""Of a file that a browser stores: no page of another site can take it as a script or a picture."""

PAGE_HEADERS: Headers = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", POLICY),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    # Not no-referrer: with that, browsers hide the Origin of a form, which is looked at.
    ("Referrer-Policy", "same-origin"),
    *NO_STORE,
)


def size(count: int | None) -> str:
    """Returns a number of bytes for people, by powers of 1,000 as npm prints them; a dash when it is not known."""
    if count is None:
        return "–"
    number, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"


def moment(value: datetime | str | None) -> Markup | str:
    """Returns a time in UTC to the second, marked up for machines; a dash for none."""
    if not value:
        return "–"
    text = timestamp(value) if isinstance(value, datetime) else value
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
        return visible(text)
    return Markup('<time datetime="{0}">{1} {2}Z</time>').format(text, text[:10], text[11:19])


def clock(value: datetime) -> Markup:
    """Returns a time in UTC to the minute, for tiles; the whole of it is for machines and on its title."""
    text = timestamp(value)
    return Markup('<time datetime="{0}" title="{0}">{1} {2}Z</time>').format(text, text[:10], text[11:16])


def web_url(value: object) -> str:
    """Returns *value* when it is a URL of the web that a link may go to; else an empty text."""
    if not isinstance(value, str) or len(value) > 2048:
        return ""
    try:
        parsed = urlsplit(value.strip())
    except ValueError:
        return ""
    return value.strip() if parsed.scheme in ("http", "https") and parsed.netloc else ""


def count(number: int, one: str, many: str = "") -> str:
    """Returns a number with its noun: "1 version", "2,000 versions"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_environment = Environment(
    loader=PackageLoader("nproxy_mw.middleware.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(size=size, moment=moment, clock=clock, web_url=web_url, count=count, short=short)
_environment.globals.update(STYLE=STYLE, SCRIPT=SCRIPT, ICON=ICON)


def render(template: str, values: Mapping[str, Any]) -> bytes:
    """Returns the template *template* filled in with *values*, all of them escaped."""
    return _environment.get_template(template).render(values).encode("utf-8", "replace")
