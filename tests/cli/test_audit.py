"""``nproxy-mw audit verify``: what it says of what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.publications import ACTOR, publish

from nproxy_mw.cli import main
from nproxy_mw.orgs.organization import Organizations

WRITTEN = "The audit trail is as it was written, but not all of it is in its index"
UNVERIFIED = "Not all of the audit trail was verified; the rest is as it was written"
CHANGED = "The audit trail is not as it was written"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of an organization with one package."""
    store = tmp_path / "store"
    organization = Organizations.at(str(store)).ensure("default", actor=ACTOR)
    publish(organization, "@acme/utils", "1.0.0")
    return store


def lose_index(folder: Path) -> None:
    """What a crash between two writes leaves: an event that the index lacks."""
    next(iter((folder / "orgs/default/audit/index").rglob("*package.published*"))).unlink()


def newer(folder: Path) -> None:
    """A record that another host's newer version wrote."""
    record = next(iter(folder.rglob("record.json")))
    record.write_bytes(record.read_bytes().replace(b'"format":1', b'"format":9'))


def edit(folder: Path) -> None:
    """An event that somebody changed."""
    record = next(iter(folder.rglob("record.json")))
    record.write_bytes(record.read_bytes().replace(b'"event":"package.published"', b'"event":"package.deprecated"'))


@pytest.mark.parametrize(("changes", "verdict"), [
    pytest.param([lose_index], WRITTEN, id="index"),
    pytest.param([newer], UNVERIFIED, id="newer"),
    pytest.param([edit], CHANGED, id="edited"),
    pytest.param([edit, lose_index], CHANGED, id="edited and index"),
])  # fmt: skip
def test_only_an_edited_trail_is_called_one(folder: Path, changes, verdict: str, capsys) -> None:
    """Nobody is sent looking for an attacker because a process was killed, or a host runs a newer version."""
    assert main(["audit", "verify", "--storage", str(folder)]) == 0
    capsys.readouterr()
    for change in changes:
        change(folder)
    assert main(["audit", "verify", "--storage", str(folder)]) == 1
    assert capsys.readouterr().err.startswith(f"{verdict}: ")


def test_index_is_completed(folder: Path, capsys) -> None:
    """What the sentence names helps."""
    lose_index(folder)
    assert main(["audit", "verify", "--storage", str(folder)]) == 1
    assert "nproxy-mw check --repair" in capsys.readouterr().out
    assert main(["check", "--repair", "--storage", str(folder)]) == 0
    assert main(["audit", "verify", "--storage", str(folder)]) == 0


def test_newer_checkpoint_is_no_missing_witness(folder: Path, tmp_path: Path, capsys) -> None:
    """A witness of a checkpoint that this version cannot read accuses nobody."""
    assert main(["audit", "verify", "--storage", str(folder)]) == 0
    witness = tmp_path / "witness.json"
    witness.write_text(capsys.readouterr().out)
    checkpoint = next(iter((folder / "orgs/default/audit/checkpoints").rglob("*.json")))
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b'"format":1', b'"format":9'))
    assert main(["audit", "verify", "--storage", str(folder), "--witness", str(witness)]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"{UNVERIFIED}: 1 finding.")
    assert "newer version" in printed.out


def test_export_says_what_it_skips(folder: Path, capsys) -> None:
    """It has every event that can be read, and does not end as if it had all of them."""
    assert main(["audit", "export", "--storage", str(folder)]) == 0
    whole = capsys.readouterr()
    assert whole.err == ""
    newer(folder)
    assert main(["audit", "export", "--storage", str(folder)]) == 1
    part = capsys.readouterr()
    assert set(part.out.splitlines()) < set(whole.out.splitlines())
    assert "1 piece skipped, which 'nproxy-mw audit verify' explains." in part.err


def test_list_is_filtered(folder: Path, capsys) -> None:
    """By actor and time, alone or together."""

    def listed(*options: str) -> list[list[str]]:
        assert main(["audit", "list", "--storage", str(folder), *options]) == 0
        return [line.split() for line in capsys.readouterr().out.splitlines()[1:]]

    everything = listed("--limit", "1000")
    assert everything
    assert listed("--from", "1h") == everything
    assert listed("--to", "1h") == listed("--by", "nobody") == []
    by = [line for line in everything if line[-1] == "tests"]
    assert listed("--by", "tests") == by != []


@pytest.mark.parametrize(
    ("kind", "fields", "what"),
    [
        pytest.param(
            "rule.blocked", {"package": "axios", "versions": ["1.14.1"], "count": 1}, "axios@1.14.1 (x)", id="one"
        ),
        pytest.param(
            "rule.warned",
            {"package": "axios", "versions": ["1.0.0", "1.14.1"], "count": 70},
            "axios@1.14.1 and 69 more (x)",
            id="several versions",
        ),
        pytest.param(
            "rule.undecided", {"packages": ["a", "b"], "count": 1200}, "a and 1,199 more (x)", id="several packages"
        ),
        pytest.param("rule.recovered", {"since": "2026-11-26T12:00:00.000Z"}, "(x)", id="no package"),
    ],
)
def test_list_says_what_a_rule_flagged(folder: Path, capsys, kind: str, fields: dict[str, Any], what: str) -> None:
    """The newest version or the first package, how many more, and the rule."""
    trail = Organizations.at(str(folder)).ensure("default", actor=ACTOR).trail
    trail.record(kind, ACTOR, rule="x", reason="it is so", **fields)
    assert main(["audit", "list", "--event", kind, "--storage", str(folder)]) == 0
    assert f"  {kind}  {what}  " in capsys.readouterr().out
