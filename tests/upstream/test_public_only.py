"""PublicOnly: whoever asks, the source behind it hears no internal name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.sources import ScriptedSource

from nproxy_mw.errors import NotFound
from nproxy_mw.npm.documents import ByteRange
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.upstream.public_only import PublicOnly

ASK: dict[str, Callable[[PublicOnly, Name], Any]] = {
    "packument": lambda source, name: source.packument(name),
    "packument for a write": lambda source, name: source.packument(name, for_write=True),
    "dist-tags": lambda source, name: source.dist_tags(name),
    "tarball": lambda source, name: source.tarball(name, name.tarball("1.0.0")),
    "attestations": lambda source, name: source.document(Route(Kind.ATTESTATIONS, name, "1.0.0")),
}


@pytest.fixture
def inner() -> ScriptedSource:
    source = ScriptedSource()
    for name in ("utils", "@acme-corp/utils", "@ACME/utils"):
        source.publish(name, "1.0.0")
    return source


@pytest.mark.parametrize("verb", ASK)
def test_internal_name_is_absent_and_not_asked_for(inner: ScriptedSource, verb: str) -> None:
    """Every verb says so for a name in an internal scope."""
    source = PublicOnly(inner, lambda: ("@other", "@acme"))
    with pytest.raises(NotFound) as refused:
        ASK[verb](source, parse_name("@acme/utils"))
    assert refused.value.code == "internal-package"
    assert not inner.asked


@pytest.mark.parametrize("name", ["utils", "@acme-corp/utils", "@ACME/utils"])
@pytest.mark.parametrize("verb", ASK)
def test_public_name_is_asked_for(inner: ScriptedSource, verb: str, name: str) -> None:
    """A scope is compared whole and by case, and keys belong to nobody."""
    source = PublicOnly(inner, lambda: ("@acme", ""))
    assert ASK[verb](source, parse_name(name)) is not None
    assert source.document(Route(Kind.KEYS)) is not None
    assert inner.asked.total() == 2


class Noting:
    """A source that has nothing, and notes every call as it came."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, verb: str) -> Callable[..., None]:
        return lambda *arguments, **named: self.calls.append((verb, arguments, named))


def test_question_is_passed_on_as_it_is() -> None:
    """What the one who asks has already, which part it wants, and what for."""
    inner, name = Noting(), parse_name("utils")
    source: Any = PublicOnly(inner, lambda: ("@acme",))  # type: ignore[arg-type]
    attestations, part = Route(Kind.ATTESTATIONS, name, "1.0.0"), ByteRange(0, 9)
    source.packument(name, unless="7", for_write=True)
    source.dist_tags(name)
    source.tarball(name, "utils-1.0.0.tgz", part)
    source.document(attestations, unless="7")
    assert inner.calls == [
        ("packument", (name,), {"unless": "7", "for_write": True}),
        ("dist_tags", (name,), {}),
        ("tarball", (name, "utils-1.0.0.tgz", part), {}),
        ("document", (attestations,), {"unless": "7"}),
    ]


def test_scope_is_internal_from_the_moment_on_that_it_is_set(inner: ScriptedSource) -> None:
    """The scopes are those of the moment of the question."""
    scopes: list[str] = []
    source = PublicOnly(inner, lambda: scopes)
    assert source.packument(parse_name("@acme-corp/utils")) is not None
    scopes.append("@acme-corp")
    with pytest.raises(NotFound):
        source.packument(parse_name("@acme-corp/utils"))
