"""What a restricted token is for: patterns of packages, and ranges of addresses."""

from __future__ import annotations

import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.restrictions import (
    MAX_ENTRIES,
    Restrictions,
    parse_address,
    parse_addresses,
    parse_packages,
    parse_pattern,
    parse_range,
)


@pytest.mark.parametrize(
    ("pattern", "covered", "others"),
    [
        pytest.param(
            "@acme", ["@acme/a", "@acme/web-ui"], ["@acme-corp/a", "@acme.evil/a", "@Acme/a", "@acm/a"], id="scope"
        ),
        pytest.param("@acme/*", ["@acme/a"], ["@acme-corp/a"], id="scope, with a star"),
        pytest.param(
            "@acme/utils", ["@acme/utils"], ["@acme/utils2", "@acme/util", "@beta/utils", "@acme/Utils"], id="one"
        ),
        pytest.param(
            "@acme/web-*",
            ["@acme/web-", "@acme/web-ui"],
            ["@acme/web", "@acme/a-web-ui", "@beta/web-ui"],
            id="beginning",
        ),
        pytest.param("@acme/web.*", ["@acme/web.ui"], ["@acme/webxui"], id="a dot is a dot"),
    ],
)
def test_pattern_covers(pattern: str, covered: list[str], others: list[str]) -> None:
    """By exact comparison: no other scope, no other case, no other name."""
    restrictions = Restrictions(packages=parse_packages([pattern]))
    assert [name for name in [*covered, *others] if restrictions.covers(name)] == covered


def test_several_patterns_add_up() -> None:
    """A package that fits any of them is covered."""
    restrictions = Restrictions(parse_packages(["@acme/a", "@beta"]))
    assert [restrictions.covers(name) for name in ("@acme/a", "@beta/x", "@acme/b")] == [True, True, False]


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "@", "acme", "*", "@*", "@acme*", "@acme/", "@acme/*web", "@acme/w*b", "@acme/web-**", "@acme/web-*/x"),
        *(
            "@Acme",
            "@acme/Utils",
            "@acme/a b",
            "@acme/../x",
            "@acme/a\n",
            "@acme/[ab]",
            "@acme/a?",
            "@acme/" + "a" * 214,
        ),
        *(None, 5, ["@acme"], "lodash"),
    ],
)
def test_other_text_is_no_pattern(pattern: object) -> None:
    """One sentence says what is."""
    with pytest.raises(BadRequest, match="@scope, @scope/name or @scope/prefix-"):
        parse_pattern(pattern)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_pattern_never_covers_another_scope(pattern: str, name: str) -> None:
    """Whatever is accepted as a pattern begins with the scope that it is about."""
    try:
        parsed = parse_pattern(pattern)
    except BadRequest:
        return
    assert not Restrictions(packages=(parsed,)).covers(name) or name.startswith(f"{parsed.partition('/')[0]}/")


@pytest.mark.parametrize(
    ("one", "inside", "outside"),
    [
        pytest.param("10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["11.0.0.0", "::a00:1"], id="v4"),
        pytest.param("192.0.2.7", ["192.0.2.7"], ["192.0.2.8"], id="one address"),
        pytest.param("0.0.0.0/0", ["8.8.8.8"], ["::1", "2001:db8::1"], id="all of v4"),
        pytest.param("2001:db8::/32", ["2001:db8::1", "2001:DB8:ffff::"], ["2001:db9::", "32.1.13.184"], id="v6"),
        pytest.param("fe80::/10", ["fe80::1", "fe80::1%eth0"], ["fec0::1"], id="with a zone"),
        pytest.param("::1", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"], id="one address of v6"),
    ],
)
def test_range_admits(one: str, inside: list[str], outside: list[str]) -> None:
    """Text that is no address, such as that of a socket without one, is in no range."""
    restrictions = Restrictions(addresses=parse_addresses([one]))
    assert [ip for ip in [*inside, *outside, "", "unix:", "10.0.0", "10.0.0.1:80"] if restrictions.admits(ip)] == inside


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10.0.0.5/8", "The range around this one is 10.0.0.0/8."),
        ("2001:db8::1/32", "The range around this one is 2001:db8::/32."),
        ("::ffff:10.0.0.0/104", "like 10.0.0.0/8"),
        ("::ffff:10.0.0.1", "like 10.0.0.0/8"),
        *(
            (text, "such as 10.0.0.0/8")
            for text in ("", "10.0.0.0/33", "10.0.0", "fe80::%1/64", "acme.example", None, 167772160)
        ),
    ],
)
def test_other_text_is_no_range(text: object, hint: str) -> None:
    """The sentence says what was probably meant."""
    with pytest.raises(BadRequest, match=re.escape(hint)):
        parse_range(text)


@given(st.ip_addresses(v=4))
def test_an_address_within_ipv6_is_the_ipv4_address(address: object) -> None:
    """A server that listens on both kinds gives IPv4 clients such addresses."""
    assert parse_address(f"::ffff:{address}") == address


@given(st.ip_addresses(network="2001:db8::/32"))
def test_every_address_of_a_range_is_admitted(address: object) -> None:
    """In each spelling."""
    restrictions = Restrictions(addresses=(ip_network("2001:db8::/32"),))
    assert restrictions.admits(str(address))
    assert restrictions.admits(address.exploded)  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [[], "@acme", {"@acme": 1}, 5, ["@acme"] * (MAX_ENTRIES + 1)])
def test_a_list_has_its_bounds(value: object) -> None:
    """Neither nothing nor too much; left out, nothing is restricted."""
    with pytest.raises(BadRequest, match=f"a list of 1 to {MAX_ENTRIES}"):
        parse_packages(value)
    assert not Restrictions(parse_packages(None), parse_addresses(None))


def test_a_sentence_names_the_first_patterns() -> None:
    """It stands in a header, so it has an end."""
    few, many = Restrictions(packages=("@a", "@b")), Restrictions(packages=tuple(f"@s{i}" for i in range(9)))
    assert few.packages_in_words() == "@a, @b"
    assert many.packages_in_words() == "@s0, @s1, @s2, @s3, @s4 and 4 more"
