"""What a value in a JSON document may be: one definition gives the check and the JSON schema. Pure.

A check adds a sentence to `Problems` for each place that is invalid, under its path, such as
``rules.first_seen.days``. Schemas are JSON Schema 2020-12 (https://json-schema.org/draft/2020-12), as OpenAPI 3.1 uses
it. A schema may allow what the check refuses where JSON Schema has no words for it, never the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from msgspec import Struct

from nproxy_mw.copies import replace
from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import Json

MAX_PROBLEMS = 20
"""Sentences that one refusal holds: a document of 100,000 mistakes must not make an answer of 26 MB."""

MAX_SHOWN = 40
"""Characters of a client's own text that a refusal repeats."""


class Problems:
    """What is invalid in one document: a sentence for each place, by its path.

    Keeps the first `MAX_PROBLEMS`; *count* counts all of them.
    """

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, path: str, sentence: str) -> None:
        """Adds a sentence about the value at *path*."""
        self.count += 1
        if len(self.fields) < MAX_PROBLEMS:
            self.fields[path] = sentence


class InvalidFields(BadRequest):
    """400: fields of a request are invalid, and nothing was changed.

    *fields* has a sentence per field, by its path. *count* is how many there are when *fields* holds only the first.
    ``sentences`` name their fields, and say how many there are more.
    """

    code = "invalid-fields"

    def __init__(self, fields: Mapping[str, str], *, count: int = 0, code: str | None = None) -> None:
        self.sentences = [f"{path}: {sentence}" for path, sentence in fields.items()]
        if count > len(fields):
            self.sentences.append(f"There are {count - len(fields)} more.")
        super().__init__(" ".join(["Nothing was changed.", *self.sentences]), code=code)
        self.fields = dict(fields)

    def details(self) -> dict[str, Any]:
        return {"fields": self.fields}


@contextmanager
def field_at(path: str) -> Iterator[None]:
    """Turns a `BadRequest` that is raised inside into `InvalidFields` about the field at *path*, with the same code."""
    try:
        yield
    except BadRequest as error:
        raise InvalidFields({path: error.message}, code=error.code) from error


Check: TypeAlias = Callable[[Any, str, Problems], None]
"""Adds what is wrong with a value, found under a path, to the problems."""


class ValueType(Struct, frozen=True):
    """A kind of JSON value: *check* finds what is invalid in one, and *schema* describes the valid ones."""

    check: Check
    schema: Json

    def accepts(self, value: Any, path: str, problems: Problems) -> bool:
        """Whether *value* is valid; what is not is added to *problems*."""
        before = problems.count
        self.check(value, path, problems)
        return problems.count == before

    def described(self, sentence: str, **more: Any) -> ValueType:
        """Returns the same type, whose schema has *sentence* as its description and the members *more*."""
        return replace(self, schema={**self.schema, "description": sentence, **more})


def simple(fits: Callable[[Any], bool], sentence: str, schema: Json) -> ValueType:
    """Returns the type of the values that *fits* accepts; *sentence* is the refusal of all others."""

    def check(value: Any, path: str, problems: Problems) -> None:
        if not fits(value):
            problems.add(path, sentence)

    return ValueType(check, schema)


FLAG = simple(lambda value: isinstance(value, bool), "This must be true or false.", {"type": "boolean"})


def one_of(*values: str) -> ValueType:
    """Returns the type of a text that is one of *values*."""
    sentence = f"This must be one of {', '.join(values)}."
    return simple(lambda value: isinstance(value, str) and value in values, sentence, {"enum": list(values)})


def number(lowest: float, highest: float, *, whole: bool) -> ValueType:
    """Returns the type of a number from *lowest* to *highest*; only integers when *whole* is true."""
    kinds = int if whole else (int, float)

    def fits(value: Any) -> bool:
        return isinstance(value, kinds) and not isinstance(value, bool) and lowest <= value <= highest

    sentence = f"This must be a {'whole ' if whole else ''}number from {lowest:g} to {highest:g}."
    kind = "integer" if whole else "number"
    return simple(fits, sentence, {"type": kind, "minimum": lowest, "maximum": highest})


def text(longest: int) -> ValueType:
    """Returns the type of a printable text of at most *longest* characters that is not blank."""

    def fits(value: Any) -> bool:
        return isinstance(value, str) and len(value) <= longest and bool(value.strip()) and value.isprintable()

    sentence = f"This must be text of 1 to {longest} printable characters."
    return simple(fits, sentence, {"type": "string", "minLength": 1, "maxLength": longest, "pattern": "\\S"})


def list_of(item: ValueType, *, most: int, least: int = 0, sentence: str) -> ValueType:
    """Returns the type of a list of *least* to *most* different scalar values.

    *sentence* is the refusal of what is no such list. An invalid entry is reported under the path of the list, by its
    number.
    """

    def check(value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            problems.add(path, sentence)
            return
        for place, entry in enumerate(value, 1):
            problem = _problem_of(item, entry) or ("This is in the list twice." if entry in value[: place - 1] else "")
            if problem:
                problems.add(path, f"Entry {place}: {problem}")
                return

    schema = {"type": "array", "items": item.schema, "maxItems": most, "uniqueItems": True}
    return ValueType(check, schema | ({"minItems": least} if least else {}))


def object_of(
    members: Mapping[str, ValueType], *, required: Collection[str] = (), least: int = 0, sentence: str
) -> ValueType:
    """Returns the type of an object with *members* and no others, at least *least* of them and all of *required*.

    *sentence* is the refusal of what is no object, or has too few members.
    """
    known = ", ".join(members)

    def check(value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, dict) or len(value) < least:
            problems.add(path, sentence)
            return
        for key in value:
            if key not in members:
                problems.add(inside(path, shown(key)), f"There is no such field here; the fields are {known}.")
        for key, member in members.items():
            if key in value:
                member.check(value[key], inside(path, key), problems)
            elif key in required:
                problems.add(inside(path, key), "This is missing.")

    properties = {key: member.schema for key, member in members.items()}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    optional = {"required": list(required), "minProperties": least}
    return ValueType(check, schema | {key: value for key, value in optional.items() if value})


def or_null(value_type: ValueType) -> ValueType:
    """Returns the type of the same values, and null."""

    def check(value: Any, path: str, problems: Problems) -> None:
        if value is not None:
            value_type.check(value, path, problems)

    return ValueType(check, {"anyOf": [value_type.schema, {"type": "null"}]})


def shown(words: str) -> str:
    """Returns a client's text as an answer may repeat it: short and printable."""
    return "".join(character for character in words[:MAX_SHOWN] if character.isprintable())


def inside(path: str, key: str) -> str:
    """Returns the path of the member *key* of the object at *path*; the path of a whole document is empty."""
    return f"{path}.{key}" if path else key


def _problem_of(item: ValueType, value: Any) -> str:
    """Returns the first sentence about *value*, or an empty text."""
    problems = Problems()
    item.check(value, "", problems)
    return next(iter(problems.fields.values()), "")
