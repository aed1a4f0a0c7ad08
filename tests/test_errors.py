"""The tree of errors against its own drawing."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from nproxy_mw import errors
from nproxy_mw.errors import ClientError, NproxyError, ServerError, StorageError


def below(kind):
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


# Other modules add kinds of their own; the tree is this module's.
TREE = sorted(
    {kind for kind in below(NproxyError) if kind.__module__ == errors.__name__}, key=lambda kind: kind.__name__
)
LEAVES = [kind for kind in TREE if not any(kind in other.__mro__[1:] for other in TREE)]
ANSWERED = [kind for kind in LEAVES if not issubclass(kind, StorageError)]
DRAWN = dict(re.findall(r"[├└]── (\w+) +(\d{3})? ", errors.__doc__))


def made(kind):
    return kind("No.", allow=("GET",)) if kind is errors.MethodNotAllowed else kind("No.")


def test_tree_has_its_leaves():
    """The table below is about something."""
    assert len(ANSWERED) >= 13


@pytest.mark.parametrize("leaf", ANSWERED)
def test_leaf_has_status_and_code(leaf):
    """Each leaf that is answered has a status of HTTP and a code of its own, in kebab-case."""
    assert HTTPStatus(leaf.status) // 100 == (4 if issubclass(leaf, ClientError) else 5)
    assert issubclass(leaf, ClientError) != issubclass(leaf, ServerError)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", leaf.code)
    assert [other.code for other in ANSWERED].count(leaf.code) == 1


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaf_is_drawn_with_its_status(leaf):
    """The drawing in the module's docstring names every leaf, with the status it has."""
    expected = str(leaf.status) if leaf in ANSWERED else ""
    assert DRAWN[leaf.__name__] == expected


def test_drawing_names_nothing_else():
    """What is drawn exists."""
    assert DRAWN.keys() <= {kind.__name__ for kind in TREE}


@pytest.mark.parametrize("leaf", ANSWERED)
def test_leaf_says_its_status_in_its_docstring(leaf):
    """A reader of the API page meets the number first."""
    assert leaf.__doc__.startswith(f"{leaf.status}: ")


@pytest.mark.parametrize("leaf", LEAVES)
def test_error_keeps_its_message(leaf):
    """The sentence is the message, for people and for logs."""
    error = made(leaf)
    assert (error.message, str(error), error.details()) == ("No.", "No.", {})


@pytest.mark.parametrize("leaf", ANSWERED)
def test_headers_are_plain(leaf):
    """Whatever an error adds can be sent by any server."""
    for name, value in made(leaf).headers():
        assert re.fullmatch(r"[A-Za-z-]+", name)
        assert re.fullmatch(r"[ -~]+", value)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        pytest.param(errors.MethodNotAllowed("No.", allow=("GET", "HEAD")), [("Allow", "GET, HEAD")], id="405"),
        pytest.param(errors.Busy("No."), [("Retry-After", "1")], id="503"),
        pytest.param(errors.StorageUnavailable("No.", retry_after=10), [("Retry-After", "10")], id="storage"),
        pytest.param(errors.TooManyRequests("No.", retry_after=60), [("Retry-After", "60")], id="429"),
        pytest.param(
            errors.Unauthenticated('No "x" \\ here.'),
            [("WWW-Authenticate", 'Bearer realm="nproxy", error_description="No \'x\'  here."')],
            id="401, its quotes made harmless",
        ),
        pytest.param(errors.NotFound("No."), [], id="404"),
    ],
)
def test_headers_of_an_error(error, headers):
    """RFC 9110 wants Allow with 405 and a challenge with 401; Retry-After says when to come back."""
    assert error.headers() == headers


def test_code_can_be_narrowed():
    """One kind of error tells its causes apart by code."""
    assert errors.BadRequest("No.", code="invalid-name").code == "invalid-name"
    assert errors.BadRequest("No.").code == "bad-request"


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(errors.BadRequest, ValueError), (errors.NotFound, LookupError), (errors.Missing, LookupError)],
)
def test_error_is_the_builtin_it_resembles(kind, builtin):
    """Code that knows Python and not us can catch it."""
    assert issubclass(kind, builtin)


def test_missing_layer_is_outside_the_tree():
    """A mistake in the composition is no answer to a client's request."""
    assert not issubclass(errors.MissingLayer, NproxyError)
    assert errors.MissingLayer.status == 500
