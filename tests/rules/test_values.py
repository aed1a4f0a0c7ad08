"""The types of values in documents."""

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.rules.values import (
    FLAG,
    MAX_PROBLEMS,
    MAX_SHOWN,
    Problems,
    list_of,
    number,
    object_of,
    one_of,
    or_null,
    simple,
    text,
)

NUMBER = number(1, 10, whole=True)
TYPES = {
    "flag": FLAG,
    "one of": one_of("a", "b"),
    "whole number": NUMBER,
    "number": number(0, 1, whole=False),
    "text": text(5),
    "list": list_of(one_of("a", "b", "c"), least=1, most=2, sentence="A list."),
    "object": object_of({"a": NUMBER, "b": or_null(FLAG)}, required=["a"], sentence="An object."),
    "object of at least one": object_of({"a": NUMBER}, least=1, sentence="An object."),
    "or null": or_null(NUMBER),
}
VALIDATORS = {name: jsonschema_rs.Draft202012Validator(found.schema) for name, found in TYPES.items()}

# Without 1.0, which is an integer to JSON Schema alone.
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.sampled_from([0.5, 1.5, "", " ", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)


def problems_of(value_type, value, path="it"):
    problems = Problems()
    assert value_type.accepts(value, path, problems) is not bool(problems)
    return problems.fields


@pytest.mark.parametrize("name", TYPES)
@given(value=values)
def test_check_and_schema_say_the_same(name, value):
    """A value passes the check exactly when it is valid under the schema."""
    assert VALIDATORS[name].is_valid(value) is not bool(problems_of(TYPES[name], value))


@pytest.mark.parametrize(
    ("name", "value", "problems"),
    [
        pytest.param("flag", 1, {"it": "This must be true or false."}, id="number for a flag"),
        pytest.param("one of", "c", {"it": "This must be one of a, b."}, id="another word"),
        pytest.param("one of", ["a"], {"it": "This must be one of a, b."}, id="list for a word"),
        pytest.param("whole number", 11, {"it": "This must be a whole number from 1 to 10."}, id="too large"),
        pytest.param("whole number", True, {"it": "This must be a whole number from 1 to 10."}, id="flag for a number"),
        pytest.param("number", float("nan"), {"it": "This must be a number from 0 to 1."}, id="not a number"),
        pytest.param("text", "a\nb", {"it": "This must be text of 1 to 5 printable characters."}, id="line break"),
        pytest.param("list", "ab", {"it": "A list."}, id="text for a list"),
        pytest.param("list", [], {"it": "A list."}, id="too few"),
        pytest.param("list", ["a", "d"], {"it": "Entry 2: This must be one of a, b, c."}, id="invalid entry"),
        pytest.param("list", ["a", "a"], {"it": "Entry 2: This is in the list twice."}, id="twice"),
        pytest.param("object", [], {"it": "An object."}, id="list for an object"),
        pytest.param("object", {}, {"it.a": "This is missing."}, id="missing"),
        pytest.param(
            "object",
            {"a": 0, "b": 0, "x\n" * 50: 1},
            {
                "it." + "x" * (MAX_SHOWN // 2): "There is no such field here; the fields are a, b.",
                "it.a": "This must be a whole number from 1 to 10.",
                "it.b": "This must be true or false.",
            },
            id="three problems",
        ),
        pytest.param("object of at least one", {}, {"it": "An object."}, id="empty object"),
    ],
)
def test_invalid_value_has_a_sentence_at_its_path(name, value, problems):
    """Each problem says what the value must be, under the path at which it was found."""
    assert problems_of(TYPES[name], value) == problems


def test_path_of_a_document_is_empty():
    """The members of a whole document have their names as paths."""
    assert problems_of(TYPES["object"], {"a": 0}, "") == {"a": "This must be a whole number from 1 to 10."}


def test_problems_are_bounded_and_counted():
    """However many fields are invalid, a refusal has few sentences, and says how many there are."""
    problems = Problems()
    object_of({}, sentence="An object.").check({str(n): 1 for n in range(100_000)}, "", problems)
    assert len(problems.fields) == MAX_PROBLEMS
    assert problems.count == 100_000


def test_description_joins_the_schema():
    """A described type has the sentence and the default in its schema, and the same check."""
    described = FLAG.described("Whether.", default=True)
    assert described.schema == {"type": "boolean", "description": "Whether.", "default": True}
    assert described.check is FLAG.check


def test_simple_type_has_its_own_sentence():
    """What a predicate refuses is refused with the sentence given."""
    assert problems_of(simple(str.isdigit, "Digits.", {}), "x") == {"it": "Digits."}
