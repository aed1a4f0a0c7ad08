"""Package names: one parsed value, or a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.names import MAX_LENGTH, Name, is_internal_scope, is_scope, parse_name


@pytest.mark.parametrize(
    ("text", "scope", "base", "publishable"),
    [
        pytest.param("lodash", "", "lodash", True, id="unscoped"),
        pytest.param("@acme/utils", "@acme", "utils", True, id="scoped"),
        pytest.param("@acme/a.b-c_d", "@acme", "a.b-c_d", True, id="marks"),
        pytest.param("JSONStream", "", "JSONStream", False, id="capitals of old packages"),
        pytest.param("@ACME/x", "@ACME", "x", False, id="scope in capitals"),
        pytest.param("a~b!c", "", "a~b!c", False, id="marks of old packages"),
        pytest.param("a" * MAX_LENGTH, "", "a" * MAX_LENGTH, True, id="longest"),
        pytest.param("@_x/y", "@_x", "y", True, id="underscore before a scope"),
        pytest.param("@a/_x", "@a", "_x", True, id="underscore behind a scope"),
        pytest.param("con", "", "con", True, id="a device's name"),
        pytest.param("@a/LPT9", "@a", "LPT9", False, id="a device's name in capitals"),
        pytest.param("@con/x.", "@con", "x.", True, id="a dot at the end"),
    ],
)
def test_parse_name_takes_what_npm_has(text: str, scope: str, base: str, publishable: bool) -> None:
    """A name is parsed into scope and base, and says whether it can be published."""
    name = parse_name(text)
    assert (name.scope, name.base, str(name), name.is_publishable) == (scope, base, text, publishable)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        ".git",
        "_x",
        "a/b",
        "a/",
        "/a",
        "@",
        "@/",
        "@a",
        "@a/",
        "@/b",
        "@a/b/c",
        "@a//b",
        "@a/..",
        "@../a",
        "@a/.x",
        "@.a/b",
        "@@a/b",
        "a@b",
        "a b",
        " a",
        "a ",
        "a\n",
        "a\0",
        "a\x7f",
        "a%2fb",
        "@a%2fb",
        "%40a/b",
        "a;b",
        "a\\b",
        "a:b",
        "C:",
        "a?b",
        "a#b",
        "a+b",
        "a&b",
        "é",
        "＠acme/x",
        "@acme/\uff55tils",
        "@ac\u200dme/x",
        "ａ",
        "node_modules",
        "Node_Modules",
        "favicon.ico",
        "-",
        "@a/-",
        "@node_modules/x",
        "a" * (MAX_LENGTH + 1),
        "@" + "a" * 212 + "/b",
    ],
)
def test_parse_name_refuses_what_is_none(text: str) -> None:
    """What npm, a URL or a file system would read in another way is no name."""
    with pytest.raises(BadRequest) as refusal:
        parse_name(text)
    assert refusal.value.code == "invalid-name"


@pytest.mark.parametrize("text", ["con", "NUL", "@a/aux", "@com1/x", "a.", "@a/b.", "@a./b"])
def test_some_names_cannot_be_stored(text: str) -> None:
    """Names of devices and those that end with a dot are names, and may be asked of the upstream, but not stored."""
    assert not parse_name(text).is_storable


@pytest.mark.parametrize("text", ["utils", "@acme/_utils", "console", "@acme/com10"])
def test_most_names_can_be_stored(text: str) -> None:
    """Every other name can be stored."""
    assert parse_name(text).is_storable


def test_a_name_knows_its_other_spellings() -> None:
    """The name on the wire, and its tarball's file name, are built from the parsed parts."""
    assert Name("@acme", "utils").wire == "@acme%2futils"
    assert Name("", "utils").wire == "utils"
    assert Name("@acme", "utils").tarball("1.0.0") == "utils-1.0.0.tgz"


@pytest.mark.parametrize(
    ("text", "is_one", "internal"),
    [
        ("@acme", True, True),
        ("@a.b-c_1", True, True),
        ("@ACME", True, False),
        ("@a~b", True, False),
        ("acme", False, False),
        ("@", False, False),
        ("@a/b", False, False),
        ("@.a", False, False),
        ("@a.", True, False),
        ("@con", True, False),
        ("@a b", False, False),
        ("@a\n", False, False),
        ("@é", False, False),
        ("@@a", False, False),
        ("", False, False),
    ],
)
def test_scopes(text: str, is_one: bool, internal: bool) -> None:
    """A scope can be internal when packages can still be published under it."""
    assert (is_scope(text), is_internal_scope(text)) == (is_one, internal)


@given(st.text() | st.text(alphabet="@/.-_~aA0%", max_size=12))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """A name is what it was parsed from, is safe in a path, and nothing but BadRequest comes out."""
    try:
        name = parse_name(text)
    except BadRequest:
        return
    assert str(name) == text
    assert parse_name(str(name)) == name
    assert text.isascii()
    assert not set(text) & set("\\%?#;: \n\0")
    assert all(part.strip(".") for part in text.split("/"))
    assert name.wire.count("/") == 0
