"""What a search finds and in which order, and the pages of the list of packages."""

from __future__ import annotations

import pytest
from support.search import index_of, search, summary_of

from nproxy_mw.npm.search import parse_query
from nproxy_mw.packages.search import queries
from nproxy_mw.packages.search.queries import PackageSort, PagePosition

SHELF = [
    summary_of("@acme/date", description="Dates"),
    summary_of("@acme/date-utils", description="Helpers", keywords=["Time", "big data"]),
    summary_of("@acme/old-date", description="Dates", deprecated="use date"),
    summary_of("@acme/clock", description="Shows the date and the time", maintainers=["bob"], author="Ann Lee"),
    summary_of("@acme/update", description="Nothing of the kind"),
    summary_of("@tools/date", description="Another one"),
]


@pytest.fixture(scope="module")
def connection():
    return index_of(*SHELF)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            "date",
            ["@acme/date", "@tools/date", "@acme/date-utils", "@acme/clock", "@acme/old-date"],
            id="itself, beginnings, names and texts, deprecated ones",
        ),
        pytest.param("DATE-UTILS", ["@acme/date-utils"], id="any case"),
        pytest.param("@tools/date", ["@tools/date"], id="whole name"),
        pytest.param(
            "dat", ["@acme/date", "@acme/date-utils", "@tools/date", "@acme/clock", "@acme/old-date"], id="part"
        ),
        pytest.param("utils date", ["@acme/date-utils"], id="words in any order"),
        pytest.param("date help", ["@acme/date-utils"], id="words of name and text"),
        pytest.param("date nothing", [], id="all words must fit"),
        pytest.param("ate", [], id="not from the middle of a word"),
        pytest.param("keywords:time", ["@acme/date-utils"], id="keyword"),
        pytest.param("keywords:tim", [], id="part of a keyword"),
        pytest.param('keywords:"big data"', ["@acme/date-utils"], id="keyword of two words"),
        pytest.param("keywords:x,TIME", ["@acme/date-utils"], id="one of several keywords"),
        pytest.param("data", ["@acme/date-utils"], id="word of a keyword"),
        pytest.param("scope:tools", ["@tools/date"], id="scope"),
        pytest.param("scope:tool", [], id="part of a scope"),
        pytest.param("maintainer:bob", ["@acme/clock"], id="maintainer"),
        pytest.param('author:"ann lee"', ["@acme/clock"], id="author"),
        pytest.param("author:bob", [], id="a maintainer is not the author"),
        pytest.param("is:deprecated", ["@acme/old-date"], id="deprecated"),
        pytest.param("date is:deprecated scope:acme", ["@acme/old-date"], id="all together"),
        pytest.param("scope:acme scope:tools", [], id="all qualifiers must fit"),
        pytest.param("not:deprecated scope:tools", ["@tools/date"], id="not deprecated"),
        pytest.param("", sorted(one["name"] for one in SHELF), id="nothing: everything by name"),
        pytest.param("not:unstable", sorted(one["name"] for one in SHELF), id="only what is not kept"),
        pytest.param("@", [], id="a mark alone"),
        pytest.param("\U0001f680", [], id="a picture"),
    ],
)
def test_search_finds(connection, text, found):
    """Exact names, then beginnings, then the rest; deprecated packages after their like."""
    assert search(connection, text) == found


def test_deprecated_package_comes_after_its_like():
    """However well its text fits, and whatever its name; but the name that was typed is what was meant."""
    connection = index_of(
        summary_of("@acme/a", description="clock clock", deprecated="gone"),
        summary_of("@acme/b", description="a clock among many other things"),
        summary_of("@acme/clock", description="a clock", deprecated="gone"),
    )
    assert search(connection, "clock") == ["@acme/clock", "@acme/b", "@acme/a"]


@pytest.mark.parametrize("text", ["date", "", "keywords:time", "@tools/date", "date utils", "scope:acme"])
def test_pages_of_a_search_are_the_whole(connection, text):
    """Parts that follow each other hold each package once, and tell how many there are in all."""
    everything = search(connection, text)
    assert [name for first in range(8) for name in search(connection, text, first, 1)] == everything
    found = queries.search(connection, parse_query(text), 99, 20)
    assert (found.summaries, found.total) == ([], len(everything))


@pytest.mark.parametrize(
    ("text", "first", "total"),
    [
        pytest.param("part", "@acme/part", 41, id="name"),
        pytest.param("@acme/part", "@acme/part", 41, id="whole name"),
        pytest.param("part-3", "@acme/part-3", 10, id="beginnings"),
        pytest.param("part twin", "@acme/apart-twin-part", 1, id="few"),
        pytest.param("scope:acme part", "@acme/part", 41, id="with a qualifier"),
        pytest.param("scope:acme", "@acme/part-0", 41, id="a qualifier alone"),
    ],
)
def test_best_is_found_among_more_than_are_ranked(monkeypatch, text, first, total):
    """However many fit, the package that was typed and those that begin so come first, and all are counted."""
    monkeypatch.setattr(queries, "WINDOW", 8)
    others = [summary_of(f"@acme/part-{number}") for number in range(39)]
    connection = index_of(*others, summary_of("@acme/apart-twin-part"), summary_of("@acme/part"))
    found = queries.search(connection, parse_query(text), 0, 5)
    assert (found.summaries[0]["name"], found.total) == (first, total)


def pages(connection, sort, text="", size=2):
    """The names of all pages, each of which begins after the last one of the page before."""
    after, names = None, []
    for _ in range(20):
        found = queries.page(connection, sort, after, text, size)
        if not found.summaries:
            return names
        last = found.summaries[-1]
        after = PagePosition(last["name"], last["modifiedAt"] or "")
        names += [one["name"] for one in found.summaries]
    pytest.fail("the pages do not end")


@pytest.fixture(scope="module")
def dated():
    moments = {"a": "2027-01-02T00:00:00.000Z", "b": "2027-01-03T00:00:00.000Z", "c": "2027-01-03T00:00:00.000Z"}
    return index_of(
        *(summary_of(f"@acme/{name}", modifiedAt=moment) for name, moment in moments.items()),
        summary_of("@acme/undated", modifiedAt=None),
        summary_of("@acme/Up_100%"),
    )


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        (PackageSort.NAME, ["@acme/Up_100%", "@acme/a", "@acme/b", "@acme/c", "@acme/undated"]),
        (PackageSort.UPDATED, ["@acme/c", "@acme/b", "@acme/a", "@acme/Up_100%", "@acme/undated"]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 250])
def test_pages_of_the_list_are_the_whole(dated, sort, names, size):
    """Each package is on one page, in the order that was asked for; one without a time is the oldest."""
    assert pages(dated, sort, size=size) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("UP", ["@acme/Up_100%"], id="any case"),
        pytest.param("nda", ["@acme/undated"], id="from the middle"),
        pytest.param("me/b", ["@acme/b"], id="over the scope"),
        pytest.param("%", ["@acme/Up_100%"], id="percent"),
        pytest.param("p_1", ["@acme/Up_100%"], id="underscore"),
        pytest.param("\\", [], id="backslash"),
        pytest.param("' OR 1=1 --", [], id="quote"),
        pytest.param("caf\u00e9", [], id="not ASCII"),
    ],
)
@pytest.mark.parametrize("sort", PackageSort)
def test_list_is_filtered_by_text_in_names(dated, sort, text, names):
    """Marks of patterns are marks; the number of all that have the text is told on each page."""
    assert pages(dated, sort, text) == names
    assert queries.page(dated, sort, None, text, 1).total == len(names)
