"""What an API token looks like."""

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
