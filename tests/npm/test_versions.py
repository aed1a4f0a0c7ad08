"""Versions and tags."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.versions import (
    MAX_LENGTH,
    MAX_NUMBER,
    check_tag,
    is_version,
    parse_like_npm,
    parse_loose,
    parse_version,
    sort_key,
)


@pytest.mark.parametrize(
    ("text", "release", "prerelease", "build"),
    [
        ("0.0.0", (0, 0, 0), (), ()),
        ("1.2.3", (1, 2, 3), (), ()),
        (f"{MAX_NUMBER}.0.0", (MAX_NUMBER, 0, 0), (), ()),
        ("1.0.0-rc.1", (1, 0, 0), ("rc", "1"), ()),
        ("1.0.0-0a.-.x-y", (1, 0, 0), ("0a", "-", "x-y"), ()),
        ("1.0.0+001.b", (1, 0, 0), (), ("001", "b")),
        ("1.0.0-a+b", (1, 0, 0), ("a",), ("b",)),
    ],
)
def test_parse_version_reads_semver(text: str, release: object, prerelease: object, build: object) -> None:
    """A version is parsed into its parts, and written as it came."""
    version = parse_version(text)
    assert (version.release, version.prerelease, version.build, str(version)) == (release, prerelease, build, text)
    assert version.is_stable is (not prerelease)
    assert is_version(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "v1.2.3",
        "=1.2.3",
        " 1.2.3",
        "1.2.3 ",
        "1.2.3\n",
        "01.2.3",
        "1.02.3",
        "1.2.03",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.3+",
        "1.2.3+a+b",
        "1.2.3-é",
        "١.٢.٣",
        "1.2.x",
        "-1.2.3",
        "1.2.3-a_b",
        "latest",
        f"{MAX_NUMBER + 1}.0.0",
        f"1.0.0-{MAX_NUMBER + 1}",
        "1.0.0-" + "a" * MAX_LENGTH,
        "9" * 100_000 + ".0.0",
    ],
)
def test_parse_version_refuses_what_is_none(text: str) -> None:
    """What npm's semver reads loosely, or not at all, is no version."""
    with pytest.raises(BadRequest) as refusal:
        parse_version(text)
    assert refusal.value.code == "invalid-version"
    assert not is_version(text)


def test_precedence_is_that_of_semver() -> None:
    """The order of semver's own example, section 11."""
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.1.0",
        "2.0.0-0",
        "2.0.0",
        "10.0.0",
    ]
    shuffled = random.Random(7).sample(ordered, len(ordered))
    assert sorted(shuffled, key=lambda text: parse_version(text).precedence) == ordered


def test_build_metadata_takes_no_part() -> None:
    """Two builds of a version are of one precedence, and not equal."""
    one, other = parse_version("1.0.0+a"), parse_version("1.0.0+b")
    assert one.precedence == other.precedence
    assert one != other


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("3.0.0rc5", "3.0.0-rc5"),
        ("1.2.3beta", "1.2.3-beta"),
        ("01.02.03", "1.2.3"),
        ("=v1.2.3", "1.2.3"),
        ("v = 1.2.3 ", "1.2.3"),
        ("1.2.3-007.0x", "1.2.3-7.0x"),
        ("1.2.3--", "1.2.3--"),
        ("1.2.34.5", "1.2.3-4.5"),
        ("1.0.0a+b.01", "1.0.0-a+b.01"),
        (f"1.0.0-0{MAX_NUMBER}", f"1.0.0-0{MAX_NUMBER}"),
    ],
)
def test_parse_loose_reads_old_numbers(text: str, written: str) -> None:
    """Old versions of the registry are read as npm reads them, and written strictly."""
    assert str(parse_loose(text)) == written
    assert not is_version(text) or text == written


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "1.2.3.4", "latest", "1.2.x", "1.2.3é", "1.2.3a+", f"{MAX_NUMBER + 1}.0.0", "1.2.3" + "a" * 252],
)
def test_parse_loose_refuses_what_is_none(text: str) -> None:
    """What npm cannot read even loosely is no version."""
    assert parse_loose(text) is None
    assert sort_key(text) == ()


@pytest.mark.parametrize("text", ["v1.2.3", " 1.2.3", "1.2.3\ufeff", f"1.0.0-{MAX_NUMBER + 1}"])
def test_parse_like_npm_is_less_strict(text: str) -> None:
    """npm takes a little more than semver allows, and than a publish may hold."""
    assert parse_like_npm(text) is not None
    assert not is_version(text)


@pytest.mark.parametrize("text", ["=1.2.3", "vv1.2.3", "01.2.3", "1.2.3beta", "1.2.3\x1f", " " * MAX_LENGTH + "1.2.3"])
def test_parse_like_npm_is_strict(text: str) -> None:
    """What npm reads loosely alone is none."""
    assert parse_like_npm(text) is None


def test_sort_key_orders_strict_and_loose_together() -> None:
    """Old numbers stand where npm puts them; what is no version is below all."""
    ordered = ["unknown", "0.9.0", "1.0.0alpha", "v1.0.0-beta", "1.0.0beta2", "01.0.0", "1.0.1", "3.0.0rc5", "3.0.0"]
    shuffled = random.Random(7).sample(ordered, len(ordered))
    assert sorted(shuffled, key=sort_key) == ordered


def test_numbers_beyond_javascript_are_rounded() -> None:
    """npm cannot tell two prerelease numbers apart that JavaScript keeps as one."""
    assert sort_key(f"1.0.0-{MAX_NUMBER + 1}") == sort_key(f"1.0.0-{MAX_NUMBER + 2}")
    assert sort_key(f"1.0.0-{MAX_NUMBER - 1}") < sort_key(f"1.0.0-{MAX_NUMBER}")


@pytest.mark.parametrize(
    "tag", ["latest", "next", "beta-1", "rc_2", "a.b", "constructor", "stable~1", "2x", "x-ray", "version1"]
)
def test_check_tag_takes_a_word(tag: str) -> None:
    """A tag is a word that no range can be."""
    assert check_tag(tag) == tag


@pytest.mark.parametrize(
    "tag",
    [
        "",
        " ",
        "1",
        "v1",
        "1.x",
        "1.2",
        "1.2.3",
        "v1.2.3",
        "~1",
        "*",
        "x",
        "X",
        "1.2.3-beta",
        "1.2.3beta",
        "x.x",
        "v1.x",
        "*1.2.3",
        ".hidden",
        "a/b",
        "a b",
        "a\n",
        "a%2fb",
        ">1",
        "^1",
        "=1",
        "1||2",
        "é",
        "__proto__",
        "a" * (MAX_LENGTH + 1),
        "a#b",
        "a?b",
    ],
)
def test_check_tag_refuses_ranges_and_paths(tag: str) -> None:
    """What reads as a version or range, or has a meaning in a URL, is no tag."""
    with pytest.raises(BadRequest) as refusal:
        check_tag(tag)
    assert refusal.value.code == "invalid-tag"


NUMBERS = st.integers(0, MAX_NUMBER).map(str)
WORDS = st.from_regex(r"[0-9A-Za-z-]*[A-Za-z-][0-9A-Za-z-]*", fullmatch=True).filter(lambda word: len(word) < 20)


@given(NUMBERS, NUMBERS, NUMBERS, st.lists(NUMBERS | WORDS, max_size=3), st.lists(NUMBERS | WORDS, max_size=3))
def test_what_semver_writes_is_read(
    major: str, minor: str, patch: str, prerelease: list[str], build: list[str]
) -> None:
    """Every version that the grammar can write is read, and written again as it was."""
    text = f"{major}.{minor}.{patch}"
    text += "-" + ".".join(prerelease) if prerelease else ""
    text += "+" + ".".join(build) if build else ""
    assert str(parse_version(text)) == text
    assert parse_version(text) == parse_like_npm(text) == parse_loose(text)
    with pytest.raises(BadRequest):
        check_tag(f"{major}.{minor}.{patch}")


@given(st.text() | st.text(alphabet="0123456789.-+vx*~", max_size=15))
def test_any_text_is_a_version_or_none(text: str) -> None:
    """No text is both a version and a tag, and nothing but BadRequest comes out."""
    assert is_version(text) is (is_version(text) and str(parse_version(text)) == text)
    try:
        check_tag(text)
    except BadRequest:
        return
    assert not is_version(text)
