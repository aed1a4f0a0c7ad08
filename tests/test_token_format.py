"""What an API token looks like."""

import base64
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw import token_format

BASE62 = string.digits + string.ascii_letters


def test_secret_has_the_documented_form():
    """A token is nproxy_, 43 characters and a checksum of 6, and is wellformed."""
    secret = token_format.make_secret()
    assert (len(secret), secret[:7]) == (56, "nproxy_")
    assert token_format.is_wellformed(secret)
    assert token_format.looks_like_ours(secret)


def test_secrets_differ():
    """No two tokens are alike."""
    assert len({token_format.make_secret() for _ in range(200)}) == 200


@given(st.integers(0, 55), st.sampled_from(BASE62 + "_-/ é\n"))
def test_one_wrong_character_is_refused(position, character):
    """Whatever one character of a token is changed to, the token is refused."""
    secret = token_format.make_secret()
    changed = secret[:position] + character + secret[position + 1 :]
    assert token_format.is_wellformed(changed) == (changed == secret)


@given(st.integers(0, 55), st.integers(1, 56))
def test_cut_token_is_refused(start, length):
    """No proper part of a token is a token."""
    secret = token_format.make_secret()
    part = secret[start : start + length]
    assert token_format.is_wellformed(part) == (part == secret)


@given(st.integers(7, 54))
def test_swapped_neighbours_are_refused(position):
    """Two neighbouring characters typed the wrong way round are found."""
    secret = token_format.make_secret()
    swapped = secret[:position] + secret[position + 1] + secret[position] + secret[position + 2 :]
    assert token_format.is_wellformed(swapped) == (swapped == secret)


@given(st.text())
def test_any_text_can_be_asked_about(text):
    """No text makes the questions fail, and no text met by chance is a token."""
    assert not token_format.is_wellformed(text)
    assert len(token_format.digest(text)) == 64


@pytest.mark.parametrize("tail", ["x", "\n", " ", "\x00"])
def test_token_with_a_tail_is_refused(tail):
    """A token with anything behind it is not a token."""
    assert not token_format.is_wellformed(token_format.make_secret() + tail)


def test_session_secret_is_no_token():
    """A session's secret is never taken for an API token."""
    secret = token_format.make_session_secret()
    assert not token_format.looks_like_ours(secret)
    assert len(secret) == len("session_") + 43


def test_redact_cuts_every_secret():
    """Tokens and session secrets inside a text are cut to their prefix; the rest stays."""
    token, session = token_format.make_secret(), token_format.make_session_secret()
    text = f"npm/11 ({token}) {session}, nproxy_mw"
    assert token_format.redact(text) == "npm/11 (nproxy_[redacted]) session_[redacted], nproxy_mw"


def encoded(text: str) -> str:
    """Base64 of *text*, whose padding nobody needs."""
    return base64.b64encode(text.encode()).decode().rstrip("=")


def as_percents(text: str) -> str:
    return "".join(f"%{ord(character):02X}" for character in text)


def interrupted(text: str) -> str:
    """*text* with a percent sign before what then reads like an encoded character; a lenient reader skips the sign."""
    return re.sub("(?=[0-9A-Fa-f]{2})", "%", text, count=1)


HIDDEN = [
    pytest.param(str, id="plain"),
    pytest.param(as_percents, id="percent-encoded"),
    *(pytest.param(lambda text, n=n: encoded("x" * n + text), id=f"base64 behind {n}") for n in range(3)),
    *(pytest.param(lambda text, n=n: "A" * n + encoded(text), id=f"behind {n} characters") for n in range(1, 4)),
    pytest.param(lambda text: "....A" + encoded(text), id="behind other characters and one"),
    pytest.param(lambda text: encoded("???" + text).replace("/", "_").replace("+", "-"), id="url-safe base64"),
    pytest.param(lambda text: as_percents(encoded(text)), id="percent-encoded base64"),
    pytest.param(lambda text: interrupted(encoded(text)), id="base64 with a percent sign within"),
    pytest.param(lambda text: " ".join(re.findall(".{1,7}", encoded(text))), id="base64 with spaces"),
]


@pytest.mark.parametrize("make", [token_format.make_secret, token_format.make_session_secret], ids=["token", "session"])
@pytest.mark.parametrize("hide", HIDDEN)
def test_secret_is_found_however_it_is_written(make, hide):
    """What the upstream might decode is looked through."""
    for _ in range(20):
        assert token_format.mentions_ours(hide(make()))


@pytest.mark.parametrize("text", ["", "Bearer npm_abcdef", "Basic am9lOnNlY3JldA==", "session_short", "nproxy"])
def test_what_is_no_secret_of_ours_is_mentioned_nowhere(text):
    """Tokens of others, and words that begin alike."""
    assert not token_format.mentions_ours(text)
    assert not token_format.holds_secret(text)


@pytest.mark.parametrize("make", [token_format.make_secret, token_format.make_session_secret], ids=["token", "session"])
def test_whole_secret_in_a_path_is_held(make):
    """Wherever in it, and behind names that begin alike."""
    secret = make()
    for path in (secret, f"/{secret}", f"/nproxy_helpers/-/x-{secret}.tgz", f"/{secret}x"):
        assert token_format.holds_secret(path)


def test_name_that_begins_like_a_token_holds_none():
    """Nor does a token with one wrong character: this answer is sure."""
    secret = token_format.make_secret()
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    for text in ("/nproxy_helpers", f"/{wrong}", f"/{secret[:-1]}", f"/{token_format.make_session_secret()[:-1]}"):
        assert not token_format.holds_secret(text)


@pytest.mark.parametrize("text", ["Pz8/Pj4+", "Pz8_Pj4-", "Pz8/ Pj4+\t", "Pz8/Pj4+A"])
def test_base64_is_read_leniently(text):
    """In both alphabets, with what belongs to neither, and with a character too many."""
    assert token_format.decode_base64(text) == "???>>>"


def test_text_that_is_no_unicode_has_a_digest():
    """A lone surrogate comes in JSON, or out of a header."""
    assert token_format.digest("nproxy_\ud800") == token_format.digest("nproxy_?")
