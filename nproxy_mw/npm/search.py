"""What people type after ``npm search``: words, and the qualifiers of the public registry
(https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md#get-v1search).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from msgspec import Struct

MAX_WORDS = 8
"""Words of a query that are looked for. More would hardly narrow the results."""

MAX_WORD = 64  # characters of a word that are compared

_QUALIFIERS = {"author": "author", "keywords": "keyword", "maintainer": "maintainer", "scope": "scope"}
_IGNORED = frozenset({"is", "not", "boost-exact"})
_PART = re.compile(r'(?:([A-Za-z-]+):)?("[^"]*"|\S+)')
_WORD = re.compile(r"[^\W_]+")


class Query(Struct, frozen=True):
    """A search, taken apart. Upper and lower case are alike, and so are letters with and without accents.

    A package must have each of *words*, and fit each of *qualifiers*: a kind, and values of which one must fit. The
    kinds are ``author``, ``keyword``, ``maintainer``, ``scope`` and ``deprecated`` (``yes`` or ``no``). *phrase* is
    what was typed without the qualifiers; a package of that name is what was meant.
    """

    words: tuple[str, ...] = ()
    qualifiers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    phrase: str = ""


def parse_query(text: str) -> Query:
    """Returns what *text* asks for. Any text is a query.

    ``scope:acme``, ``author:ann`` and ``maintainer:ann`` each name one value, ``keywords:a,b`` several, and
    ``is:deprecated`` and ``not:deprecated`` what the latest version is. Quotes hold words together:
    ``author:"Ann Lee"``. Other values of ``is`` and ``not``, and ``boost-exact``, are about ranks and scores, which are
    not kept here: they are left out. Anything else before a colon is a word.
    """
    typed, qualifiers = [], list[tuple[str, tuple[str, ...]]]()
    for match in _PART.finditer(text):
        key, value = (match[1] or "").lower(), fold(match[2].strip('"'))
        if key in _QUALIFIERS and value:
            qualifiers.append((_QUALIFIERS[key], _values(key, value)))
        elif key in _IGNORED and value:
            if value == "deprecated" and key != "boost-exact":
                qualifiers.append(("deprecated", ("yes" if key == "is" else "no",)))
        else:
            typed.append(match[0].strip('"'))
    words = dict.fromkeys(words_in(" ".join(typed)))
    return Query(tuple(words)[:MAX_WORDS], tuple(dict.fromkeys(qualifiers))[:MAX_WORDS], fold(" ".join(typed)))


def words_in(text: str) -> Iterator[str]:
    """Yields the words of *text*, folded: runs of letters and digits, at most `MAX_WORD` characters of each."""
    return (match[0][:MAX_WORD] for match in _WORD.finditer(fold(text)))


def fold(text: str) -> str:
    """Returns *text* in lower case and without accents, so that what reads alike compares alike."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(one for one in decomposed if not unicodedata.combining(one))
    return plain.encode("utf-8", "replace").decode("utf-8")


def _values(key: str, value: str) -> tuple[str, ...]:
    if key == "keywords":
        return tuple(dict.fromkeys(filter(None, value.split(","))))[:MAX_WORDS] or (value,)
    return (value.removeprefix("@"),) if key == "scope" else (value,)
