"""One word means one thing: no class or type alias of the package has two meanings."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nproxy_mw

ROOT = Path(nproxy_mw.__file__).parent


def defined(tree: ast.AST) -> Iterator[str]:
    """The names of all public classes and type aliases that a module defines, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if ast.unparse(node.annotation) == "TypeAlias":
                yield node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            is_new = isinstance(value, ast.Call) and ast.unparse(value.func) == "NewType"
            is_alias = isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name)
            if is_new or (is_alias and is_class_name(node.targets[0].id)):
                yield node.targets[0].id


def is_class_name(name: str) -> bool:
    """Whether *name* is spelled like a class: constants are upper case, variables lower case."""
    return name[0].isupper() and not name.isupper()


def test_no_class_has_two_meanings() -> None:
    """A reader who has met a name knows what it is in every other module."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for name in defined(ast.parse(path.read_text())):
            if not name.startswith("_"):
                places[name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_look_finds_what_it_looks_for() -> None:
    """Classes, aliases in each spelling, and names in functions or under TYPE_CHECKING."""
    source = """
class A: ...
B: TypeAlias = dict[str, int]
C = NewType("C", str)
Down = Mapping[str, int]
LIMITS = TABLE["x"]
if TYPE_CHECKING:
    class E: ...
"""
    assert sorted(defined(ast.parse(source))) == ["A", "B", "C", "Down", "E"]
