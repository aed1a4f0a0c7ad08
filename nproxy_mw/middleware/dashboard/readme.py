"""READMEs as HTML that can do no harm: no HTML of their own, no image, no style, no link but to the web. Pure."""

from __future__ import annotations

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from nproxy_mw.middleware.dashboard.texts import visible

LONGEST = 24_000
"""Characters of a README that are shown."""

MAX_LINES = 600
"""Lines of a README that are shown: each row of a table takes longer to read than a line of prose."""

MAX_HTML = 34_000
"""Characters of its HTML: a page has at most 60 kB. A table of one-letter cells grows five times as long."""

_TAGS = frozenset(
    {"a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong"}
    | {"table", "tbody", "td", "th", "thead", "tr", "ul"}
)
_BELOW = {"h1": "h3", "h2": "h4", "h3": "h5"}
"""Headings of a README stand below the heading of its section."""

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def shown_readme(text: str) -> tuple[Markup, bool]:
    """Returns the beginning of the README *text* as HTML that fits on a page, and whether it is only a part."""
    length = len("\n".join(text[:LONGEST].split("\n", MAX_LINES)[:MAX_LINES]))
    while len(html := readme_html(_beginning(text, length))) > MAX_HTML:
        length = length * 2 // 3
    return html, length < len(text)


def _beginning(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length].rpartition("\n")[0] or text[:length]


@lru_cache(maxsize=128)
def readme_html(text: str) -> Markup:
    """Returns the whole README *text* as HTML."""
    tokens = _markdown.parse(visible(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = _BELOW.get(token.tag, "h6")
    rendered = _markdown.renderer.render(tokens, _markdown.options, {})
    return Markup(  # noqa: S704 - nh3 has taken out what is not in the list
        nh3.clean(
            rendered,
            tags=set(_TAGS),
            attributes={"a": {"href"}, "ol": {"start"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="nofollow noopener noreferrer",
            url_relative="deny",
        )
    )
