"""Ranges of versions. Thousands more cases are held against npm itself in tests/e2e/test_semver.py."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.range_sugar import comparators_of
from nproxy_mw.npm.ranges import MAX_COMPARATORS, MAX_LENGTH, parse_range
from nproxy_mw.npm.versions import MAX_NUMBER, check_tag, parse_loose

ABOVE = MAX_NUMBER + 1


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        pytest.param("1.2.3", "1.2.3", id="exact"),
        pytest.param("=v1.2.3", "1.2.3", id="prefixes"),
        pytest.param("1.2.3+build.7", "1.2.3", id="build"),
        pytest.param(">= 1.2.3   <\t2.0.0", ">=1.2.3 <2.0.0", id="white space"),
        pytest.param("\ufeff 1.2.3\u00a0||\u20033.0.0 ", "1.2.3||3.0.0", id="JavaScript's white space"),
        pytest.param("", "*", id="empty"),
        pytest.param("  ", "*", id="blank"),
        pytest.param("*", "*", id="star"),
        pytest.param("X", "*", id="X"),
        pytest.param(">=0.0.0", "*", id="from zero on"),
        pytest.param("1.2.3 *", "1.2.3", id="star adds nothing"),
        pytest.param("1.x || *", "*", id="star swallows"),
        pytest.param("1.x||", "*", id="empty alternative"),
        pytest.param("1", ">=1.0.0 <2.0.0-0", id="major alone"),
        pytest.param("v1.2", ">=1.2.0 <1.3.0-0", id="minor alone"),
        pytest.param("1.*.X", ">=1.0.0 <2.0.0-0", id="x-range"),
        pytest.param("1.2.x-beta", ">=1.2.0 <1.3.0-0", id="x-range with prerelease"),
        pytest.param("=1.x", ">=1.0.0 <2.0.0-0", id="equal to x-range"),
        pytest.param(">1.x", ">=2.0.0", id="above x-range"),
        pytest.param(">1.2", ">=1.3.0", id="above minor"),
        pytest.param(">=1.x", ">=1.0.0", id="from x-range"),
        pytest.param("<1.2.x", "<1.2.0-0", id="below x-range"),
        pytest.param("<=1.x", "<2.0.0-0", id="up to x-range"),
        pytest.param("<=1.2", "<1.3.0-0", id="up to minor"),
        pytest.param(">*", "<0.0.0-0", id="above all"),
        pytest.param("1.2.3 <x", "<0.0.0-0", id="below all"),
        pytest.param(">x || 1.2.3", "1.2.3", id="nothing is dropped"),
        pytest.param(">x || <x", "<0.0.0-0", id="nothing but nothing"),
        pytest.param("~1", ">=1.0.0 <2.0.0-0", id="tilde major"),
        pytest.param("~ 1.2", ">=1.2.0 <1.3.0-0", id="tilde minor"),
        pytest.param("~>1.2.3", ">=1.2.3 <1.3.0-0", id="pessimistic tilde"),
        pytest.param("~1.2.3-beta.2", ">=1.2.3-beta.2 <1.3.0-0", id="tilde prerelease"),
        pytest.param("~x", "*", id="tilde x"),
        pytest.param("^1.2.3", ">=1.2.3 <2.0.0-0", id="caret"),
        pytest.param("^ 0.2.3", ">=0.2.3 <0.3.0-0", id="caret zero"),
        pytest.param("^0.0.3", ">=0.0.3 <0.0.4-0", id="caret two zeros"),
        pytest.param("^0.0.0", "<0.0.1-0", id="caret three zeros"),
        pytest.param("^0.0", "<0.1.0-0", id="caret zero minor"),
        pytest.param("^0.x", "<1.0.0-0", id="caret zero x"),
        pytest.param("^1.2.x", ">=1.2.0 <2.0.0-0", id="caret x"),
        pytest.param("^1.x.3", ">=1.0.0 <2.0.0-0", id="caret x number"),
        pytest.param("^*", "*", id="caret star"),
        pytest.param("^0.0.3-beta", ">=0.0.3-beta <0.0.4-0", id="caret prerelease"),
        pytest.param("1.2.3 - 2.3.4", ">=1.2.3 <=2.3.4", id="hyphen"),
        pytest.param("1.2 - 2", ">=1.2.0 <3.0.0-0", id="hyphen partial"),
        pytest.param("1 - 2.3", ">=1.0.0 <2.4.0-0", id="hyphen partial minor"),
        pytest.param("1.2.3-a - 2.3.4-b", ">=1.2.3-a <=2.3.4-b", id="hyphen prereleases"),
        pytest.param("x - 2.3.4", "<=2.3.4", id="hyphen from any"),
        pytest.param("1.2.3 - *", ">=1.2.3", id="hyphen to any"),
        pytest.param(">1.2.3 >1.2.3", ">1.2.3", id="twice"),
        pytest.param("*1.2.3", "1.2.3", id="star before a version"),
        pytest.param(f"<={MAX_NUMBER}.0.0", f"<={MAX_NUMBER}.0.0", id="largest number"),
    ],
)
def test_parse_range_has_npms_normal_form(text: str, normal: str) -> None:
    """Sugar comes to plain comparators, and those are read again as they stand."""
    assert str(parse_range(text)) == normal
    assert str(parse_range(normal)) == normal


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("latest", id="tag"),
        pytest.param("1.2.3.4", id="four numbers"),
        pytest.param("01.2.3", id="leading zero"),
        pytest.param("1.2.3beta", id="no hyphen"),
        pytest.param("1.x.2", id="number after x"),
        pytest.param("1.*.2", id="number after star"),
        pytest.param("> =1.2.3 <", id="operator alone"),
        pytest.param("1.2.3 || nonsense", id="one bad alternative"),
        pytest.param("1.2.3 - =2.0.0", id="hyphen to equal"),
        pytest.param("^>1.2.3", id="two operators"),
        pytest.param("1.2.3 | 2.0.0", id="one bar"),
        pytest.param("١.٢.٣", id="Arabic digits"),
        pytest.param("1.2.3\x1f<2", id="Python's white space"),
        pytest.param("git+ssh://upstream.example/a.git", id="repository"),
        pytest.param(f"{ABOVE}.0.0", id="too large"),
        pytest.param(f"^{MAX_NUMBER}.0.0", id="bound too large"),
        pytest.param("1.0.0-" + "a" * 251, id="version too long"),
        pytest.param(" " * (MAX_LENGTH + 1), id="too long"),
        pytest.param("||".join(map(str, range(MAX_COMPARATORS // 2 + 1))), id="too many comparators"),
    ],
)
def test_parse_range_refuses(text: str) -> None:
    """What npm does not read as a range is refused with a sentence."""
    with pytest.raises(BadRequest) as refusal:
        parse_range(text)
    assert refusal.value.code == "invalid-range"
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        pytest.param("^1.2.3beta", ">=1.2.3-beta <2.0.0-0", id="no hyphen"),
        pytest.param(">=01.02.03", ">=1.2.3", id="leading zeros"),
        pytest.param("^00.1.2", ">=0.1.2 <1.0.0-0", id="caret counts a double zero as a number"),
        pytest.param("1.2.3-007", "1.2.3-7", id="leading zeros of a prerelease"),
        pytest.param("1.2.34.5", "1.2.3-4.5", id="four numbers"),
        pytest.param("v= 1.2.3 nonsense", "1.2.3", id="skips a word"),
        pytest.param("nonsense || 2.x", ">=2.0.0 <3.0.0-0", id="skips an alternative"),
        pytest.param("> = 1.2.3", "1.2.3", id="skips an operator"),
        pytest.param("x - 1000000000000000000000 || 1.x", ">=1.0.0 <2.0.0-0", id="skips an exponent"),
    ],
)
def test_parse_range_loosely(text: str, normal: str) -> None:
    """Loose versions are read in a loose range alone, and what cannot be read is skipped."""
    assert str(parse_range(text, loose=True)) == normal
    with pytest.raises(BadRequest):
        parse_range(text)


@pytest.mark.parametrize("text", ["nonsense", "nonsense || other", f">={ABOVE}.0.0 || 1.x", f"1.2.3-{'a' * 251} 1.x"])
def test_parse_range_loosely_refuses(text: str) -> None:
    """Something must be left, and a version that is read must be a possible one."""
    with pytest.raises(BadRequest):
        parse_range(text, loose=True)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        pytest.param("^1.2.3", "1.2.3 1.9.0 v1.2.4 1.2.3+b", "1.2.2 2.0.0 2.0.0-0 1.3.0-a 1.2.3-a", id="caret"),
        pytest.param("^1.2.3-b", "1.2.3-b 1.2.3-c 1.2.3 1.3.0", "1.2.3-a 1.2.4-b 2.0.0-b", id="caret prerelease"),
        pytest.param(">1.2.3-b.9", "1.2.3-b.10 1.2.3-b.a 1.2.3", "1.2.3-b.9 1.2.3-b.8", id="numbers below words"),
        pytest.param("<2 || 3.0.0-rc", "1.9.9 3.0.0-rc", "2.0.0 3.0.0-rd 1.0.0-rc", id="either"),
        pytest.param("*", "0.0.0 9.9.9", "1.0.0-a latest 1.2.3beta 1.2", id="any"),
        pytest.param("* || 1.0.0-a", "1.0.0", "1.0.0-a", id="any swallows the prerelease"),
        pytest.param("<0.0.0-0", "", "0.0.0-0 0.0.0", id="none"),
        pytest.param("=1.2.3", "1.2.3 1.2.3+a", "1.2.4", id="equal"),
    ],
)
def test_matches(text: str, inside: str, outside: str) -> None:
    """A prerelease is in where the range names a prerelease of the same release."""
    found = parse_range(text)
    assert [version for version in inside.split() if not found.matches(version)] == []
    assert [version for version in outside.split() if found.matches(version)] == []


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        pytest.param("^1.2.3", "1.2.3 1.3.0-a 1.9.9", "1.2.3-a 2.0.0-a", id="caret"),
        pytest.param("^1.2", "1.2.0-a", "2.0.0-a", id="caret minor"),
        pytest.param("~1.2", "1.2.0-a", "1.3.0-a", id="tilde minor"),
        pytest.param("1.x", "1.0.0-a", "2.0.0-a", id="x-range"),
        pytest.param(">1", "2.0.0-a", "1.0.0-a 1.9.9", id="above"),
        pytest.param("<=1", "1.9.9-a", "2.0.0-a", id="up to"),
        pytest.param("1.2.3 - 2.3.4", "1.2.3-a 2.3.4 2.3.4-a", "2.3.5-a", id="hyphen"),
        pytest.param("1.2.3-b - 2.3.4-b", "1.2.3-b 2.3.4-b", "1.2.3-a 2.3.4-c", id="hyphen prereleases"),
        pytest.param("*", "1.0.0-a 0.0.0-0", "", id="any"),
        pytest.param(f"1 - 2.0.{MAX_NUMBER}", "", "1.0.0 2.0.0", id="bound too large"),
    ],
)
def test_matches_with_prereleases(text: str, inside: str, outside: str) -> None:
    """With prereleases included, they stand in the order of all versions, and lower bounds begin below the release."""
    found = parse_range(text)
    assert [version for version in inside.split() if not found.matches(version, include_prerelease=True)] == []
    assert [version for version in outside.split() if found.matches(version, include_prerelease=True)] == []


def test_matches_old_numbers() -> None:
    """A loose version is read by a loose range, or handed over parsed."""
    old = parse_loose("3.0.0rc5")
    assert old is not None
    assert not parse_range(">=3.0.0-rc4").matches("3.0.0rc5")
    assert parse_range(">=3.0.0-rc4").matches(old)
    assert parse_range(">=3.0.0-rc4", loose=True).matches("3.0.0rc5")


# Far more characters than a range may have: a pattern that reads them again and again would take hours.
@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("v" * 200_000, id="prefix"),
        pytest.param("= " * 100_000, id="operators"),
        pytest.param("v= " * 60_000 + ">", id="prefix and spaces"),
        pytest.param("1" * 200_000, id="digits"),
        pytest.param("1." * 100_000, id="numbers"),
        pytest.param("1.1." + "1" * 200_000 + " - 1.1." + "1" * 100_000 + "!", id="hyphen of digits"),
        pytest.param("1.1.1-" + "a." * 100_000 + "!", id="identifiers"),
        pytest.param("1.1.1-" + "0a" * 100 + "-" * 100_000 + "!", id="hyphens"),
        pytest.param("+a." * 60_000 + "+", id="builds"),
        pytest.param("<*" * 100_000, id="stars"),
        pytest.param("~> " * 60_000, id="tildes"),
    ],
)
def test_reading_takes_linear_time(text: str, loose: bool) -> None:
    """No text makes the patterns go back and forth."""
    assert comparators_of(text, loose=loose, include_prerelease=False)


NUMBERS = st.integers(0, 3).map(str)
TAILS = st.just("") | st.sampled_from(["-0", "-a", "-a.1", "-b.10"])
VERSIONS = st.builds("{}.{}.{}{}".format, NUMBERS, NUMBERS, NUMBERS, TAILS)
PARTIALS = VERSIONS | NUMBERS | st.builds("{}.{}".format, NUMBERS, NUMBERS | st.just("x"))
TERMS = st.builds("{}{}".format, st.sampled_from(["", "<", "<=", ">", ">=", "~", "^"]), PARTIALS)
HYPHENS = st.builds("{} - {}".format, PARTIALS, PARTIALS)
ALTERNATIVES = st.lists(TERMS, min_size=1, max_size=3).map(" ".join) | HYPHENS
RANGES = st.lists(ALTERNATIVES, min_size=1, max_size=3).map("||".join)


@given(RANGES, VERSIONS)
def test_normal_form_means_the_same(text: str, version: str) -> None:
    """The normal form is a fixed point, and the same versions satisfy it."""
    found = parse_range(text)
    again = parse_range(str(found))
    assert str(again) == str(found)
    assert again.matches(version) is found.matches(version)


@given(ALTERNATIVES, ALTERNATIVES, VERSIONS)
def test_bars_mean_either(one: str, other: str, version: str) -> None:
    """A version satisfies two alternatives when it satisfies one of them."""
    assume("*" not in (str(parse_range(one)), str(parse_range(other))))  # which swallows the other
    either = parse_range(one).matches(version) or parse_range(other).matches(version)
    assert parse_range(f"{one} || {other}").matches(version) is either


@given(TERMS, TERMS, VERSIONS)
def test_words_mean_both(one: str, other: str, version: str) -> None:
    """With prereleases included, a version satisfies two words when it satisfies each."""
    both = all(parse_range(word).matches(version, include_prerelease=True) for word in (one, other))
    assert parse_range(f"{one} {other}").matches(version, include_prerelease=True) is both


@given(RANGES, VERSIONS)
def test_prereleases_are_all_that_including_them_adds(text: str, version: str) -> None:
    """For a release, it makes no difference whether prereleases are included."""
    assume("-" not in version)
    found = parse_range(text)
    assert found.matches(version) is found.matches(version, include_prerelease=True)


@given(st.text() | st.text(alphabet="012.-+vx*~^<>=| ab", max_size=20), st.booleans())
def test_any_text_is_a_range_or_refused(text: str, loose: bool) -> None:
    """Nothing but BadRequest comes out, and a dist-tag is never a range."""
    try:
        parse_range(text, loose=loose)
    except BadRequest:
        return
    with pytest.raises(BadRequest):
        check_tag(text)
