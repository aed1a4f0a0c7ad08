"""READMEs as HTML that can do no harm: no HTML of their own, no image, no style, no link but to the web. Pure."""

from __future__ import annotations

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from nproxy_mw.middleware.dashboard.rendering import visible

LONGEST = 24_000
"""Characters that are shown. A page has at most 60 kB."""

_TAGS = frozenset(
    {"a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong"}
    | {"table", "tbody", "td", "th", "thead", "tr", "ul"}
)
_BELOW = {"h1": "h3", "h2": "h4", "h3": "h5"}
"""Headings of a README stand below the heading of its section."""

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def cut(text: str) -> str:
    """Returns what is shown of a README."""
    return text if len(text) <= LONGEST else text[:LONGEST].rpartition("\n")[0] or text[:LONGEST]


@lru_cache(maxsize=128)
def readme_html(text: str) -> Markup:
    """Returns the README *text*, at most `LONGEST` characters, as HTML."""
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
