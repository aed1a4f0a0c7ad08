"""The map of a store: every key is read back as what it was made from, and no two kinds share one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nproxy_mw
from nproxy_mw.storage import layout, open_storage
from nproxy_mw.storage.layout import KINDS, UNKNOWN, Care, ObjectKind, Scope, home, homes_in, locate
from nproxy_mw.storage.port import is_key

SHA256 = "ab" * 32
EXAMPLES: dict[ObjectKind, tuple[tuple[object, ...], str]] = {
    layout.RECORD: (("@acme/utils",), "packages/@acme/utils/record.json"),
    layout.TARBALL: (("@acme/utils", "0f-1a.tgz"), "tarballs/@acme/utils/0f-1a.tgz"),
    layout.PART: (("@acme/utils", f"{SHA256}-0f1a2b3c.json"), f"parts/@acme/utils/{SHA256}-0f1a2b3c.json"),
    layout.SETTINGS: ((), "settings.json"),
    layout.KEYS: ((), "keys.json"),
    layout.EXCEPTION_REQUESTS: ((), "exception-requests.json"),
    layout.TOKEN: ((SHA256,), f"tokens/{SHA256}.json"),
    layout.CHAIN: ((), "audit/administration.json"),
    layout.SEGMENT: ((1,), "audit/administration/000001.json"),
    layout.INDEX: (
        ("2026/11/22/12", "20261122T120000.000Z-0f-x"),
        "audit/index/2026/11/22/12/20261122T120000.000Z-0f-x.json",
    ),
    layout.EVENT_INDEX: (
        ("2026/11/22", "20261122T120000.000Z-0f-x"),
        "audit/events/2026/11/22/20261122T120000.000Z-0f-x.json",
    ),
    layout.INSTALLS: (("2026/11/22", "12-0f1a"), "installs/2026/11/22/12-0f1a.json"),
    layout.CHECKPOINT: ((12,), "audit/checkpoints/00000012.json"),
    layout.DIRTY: (("20261122T120000.000Z-0f",), "upkeep/dirty/20261122T120000.000Z-0f.json"),
    layout.MENDED: ((), "upkeep/mended.json"),
    layout.LOGIN: (("6b-0f",), "logins/6b-0f.json"),
    layout.ORPHANS: ((), "upkeep/orphans.json"),
    layout.KNOWLEDGE: ((), "knowledge.json"),
    layout.ORGANIZATION: (("acme",), "organisations/acme.json"),
    layout.ADMINISTRATOR: (("ann",), "administrators/ann.json"),
    layout.SESSION: ((SHA256,), f"sessions/{SHA256}.json"),
    layout.SESSION_MARK: (
        ("ann", f"20261122T120000.000Z-{SHA256}"),
        f"sessions-by-account/ann/20261122T120000.000Z-{SHA256}.json",
    ),
    layout.ATTEMPTS: (("name", "0ff"), "attempts/name/0ff.json"),
    layout.PROBE: (("0" * 32,), f"probe/{'0' * 32}"),
    layout.COPY: ((), "upkeep/copy.json"),
}
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def test_every_kind_has_an_example() -> None:
    """The table of this test is complete, and so is the tuple of all kinds."""
    named = {value for value in vars(layout).values() if isinstance(value, ObjectKind)}
    assert set(EXAMPLES) == set(KINDS) == named - {UNKNOWN}


@kinds
def test_key_is_spelled_as_it_is_stored(kind: ObjectKind) -> None:
    """Stores of every version use these keys."""
    parts, key = EXAMPLES[kind]
    assert kind.key(*parts) == key
    assert is_key(key)
    found = kind.parse(key)
    assert found is not None
    assert (
        kind.key(*(int(part) if isinstance(given, int) else part for part, given in zip(found, parts, strict=True)))
        == key
    )


@kinds
def test_key_belongs_to_one_kind(kind: ObjectKind) -> None:
    """In its scope the key is located as its kind; in the other scope, as unknown."""
    own, other = EXAMPLES[kind][1], f"orgs/acme/{EXAMPLES[kind][1]}"
    if kind.scope is Scope.ORGANIZATION:
        own, other = other, own
    assert locate(own).kind is kind
    assert locate(other).kind is UNKNOWN


@kinds
def test_folder_is_above_every_key(kind: ObjectKind) -> None:
    """A listing of the folder finds the objects."""
    storage = open_storage(f"memory://layout-{kind.name}")
    parts, key = EXAMPLES[kind]
    storage.create(key, b"")
    assert list(kind.keys(storage)) == [key]
    if parts:
        assert list(kind.names(storage)) == [str(kind.parse(key)[0])]  # type: ignore[index]


@pytest.mark.parametrize(
    "key",
    [
        "", "orgs/acme", "settings.json", "backup/settings.json", "audit/administration.json", "orgs/acme/notes.txt",
        "orgs/acme/packages/utils.json", "orgs/acme/packages/a/b/c/record.json", "orgs/acme/tokens/short.json",
        "orgs/acme/tarballs/@acme/utils/0.zip", "orgs/acme/audit/administration/1.json",
    ],
)  # fmt: skip
def test_anything_else_is_unknown(key: str) -> None:
    """What nothing of ours wrote is reported."""
    assert locate(key).kind is UNKNOWN
    assert locate(key).kind.care is Care.REPORTED


def test_homes_are_separate_storages() -> None:
    """An organization's home holds its objects alone, and is found by any of them."""
    storage = open_storage("memory://layout-homes")
    home(storage, "acme").create(layout.SETTINGS.key(), b"{}")
    home(storage, "beta").create("notes.txt", b"")
    assert sorted(storage.list()) == ["orgs/acme/settings.json", "orgs/beta/notes.txt"]
    assert homes_in(storage) == {"acme", "beta"}
    assert locate("orgs/acme/settings.json") == layout.Place(layout.SETTINGS, "acme", "settings.json")


@given(st.from_regex(r"(@[a-z0-9][a-z0-9-]{0,20}/)?[a-z0-9][a-z0-9._-]{0,20}x", fullmatch=True))
def test_every_name_has_a_record_and_tarballs(name: str) -> None:
    """A package's name comes back from the keys of its objects."""
    assert layout.RECORD.parse(layout.RECORD.key(name)) == (name,)
    assert layout.TARBALL.parse(layout.TARBALL.key(name, "0f.tgz")) == (name, "0f.tgz")


def test_no_other_module_spells_a_key() -> None:
    """Folders of the store are named in the map alone."""
    folders = {kind.folder for kind in KINDS if kind.parts} | {"orgs", "audit", "upkeep"}
    spelled = re.compile(rf'"(?:{"|".join(map(re.escape, folders))})/|"(?:settings|keys)\.json"')
    root = Path(nproxy_mw.__file__).parent
    rooms = ("storage", "audit", "accounts", "packages", "orgs", "upkeep")
    found = [
        f"{path.relative_to(root)}: {match.group()}"
        for room in rooms
        for path in sorted((root / room).glob("*.py"))
        if path.name != "layout.py"
        for match in spelled.finditer(path.read_text())
    ]
    assert found == []
