"""The terms of the full-text index: how a package becomes terms, and a query an expression of FTS5. Pure.

Both sides are taken apart here, into runs of letters and digits and into tags. FTS5's ``ascii`` tokenizer leaves such
terms as they are, so an expression has no other syntax than the one that is written here, whatever a client typed
(https://www.sqlite.org/fts5.html#full_text_query_syntax).

A tag is one term for one exact value, such as a keyword or a scope. It begins with a character that no word has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nproxy_mw.json_values import Json
from nproxy_mw.npm.search import Query, fold, words_in

# The tokenizer ends a term at an ASCII character that is no letter or digit; those of a tag are moved to the private
# use area, where it does not.
_INSIDE_A_TERM = {code: 0xE000 + code for code in range(128) if not chr(code).isalnum()}
_LONGEST_TAG = 128  # characters
_SEPARATOR = " "


def name_terms(name: str) -> str:
    """Returns the words of a package's name."""
    return _SEPARATOR.join(words_in(name))


def text_terms(summary: Json) -> str:
    """Returns the words that describe a package beyond its name."""
    return _SEPARATOR.join(words_in(" ".join([summary["description"], *summary["keywords"]])))


def tag_terms(summary: Json) -> str:
    """Returns the tags of a package."""
    return _SEPARATOR.join(_tag(kind, value) for kind, value in _tags(summary) if value)


def base_of(name: str) -> str:
    """Returns what a package is called within its scope, folded."""
    return fold(name.rpartition("/")[2])


def expression(query: Query) -> str:
    """Returns the expression that finds what *query* asks for; empty when that is everything."""
    return _all_of([*_words(query), *_qualifiers(query)])


def expression_in_names(query: Query) -> str:
    """Returns the expression for packages that have all words of *query* in their names; empty without words."""
    return _all_of([f"{{name}} : ({_all_of(_words(query))})", *_qualifiers(query)]) if query.words else ""


def expression_of_name(query: Query, *, beginning: bool) -> str:
    """Returns the expression for packages of the name that was typed; empty when no package can have it.

    With *beginning*, for all whose names within the scope begin so.
    """
    scope, slash, base = query.phrase.rpartition("/")
    if not query.words or not base or " " in query.phrase:
        return ""
    tags = [f'"{_tag("base", base)}"' + (" *" if beginning else "")]
    if slash:
        tags.append(f'"{_tag("scope", scope.removeprefix("@"))}"')
    return _all_of([*tags, *_qualifiers(query)])


def _all_of(expressions: Sequence[str]) -> str:
    return " AND ".join(expressions)


def _words(query: Query) -> list[str]:
    return [f'"{word}" *' for word in query.words]


def _qualifiers(query: Query) -> list[str]:
    tags = ((_tag(kind, value) for value in values) for kind, values in query.qualifiers)
    return ["(" + " OR ".join(f'"{tag}"' for tag in one) + ")" for one in tags]


def _tags(summary: Json) -> Iterator[tuple[str, str]]:
    scope, slash, base = summary["name"].rpartition("/")
    yield "base", base
    yield "scope", scope.removeprefix("@") if slash else ""
    yield "author", summary["author"]
    yield "deprecated", "yes" if summary["deprecated"] else "no"
    for keyword in summary["keywords"]:
        yield "keyword", keyword
    for maintainer in summary["maintainers"]:
        yield "maintainer", maintainer


def _tag(kind: str, value: str) -> str:
    return f":{kind}:{fold(value)}".translate(_INSIDE_A_TERM)[:_LONGEST_TAG]
