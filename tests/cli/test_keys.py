"""nproxy-mw keys: rotation never unseals by accident."""

from __future__ import annotations

import pytest
from support.publications import ACTOR, publish

from nproxy_mw import organization_at
from nproxy_mw.cli import main
from nproxy_mw.errors import StorageUnavailable

OLD, NEW = "1f" * 32, "2e" * 32


@pytest.fixture
def keys(tmp_path, monkeypatch, capsys):
    """Runs ``keys`` on a store, with a seal key in the environment or without; answers its exit code and stderr."""
    store = str(tmp_path / "store")
    assert main(["org", "create", "default", "--storage", store]) == 0

    def run(*arguments, seal=None):
        monkeypatch.setenv("NPROXY_SEAL_KEY", seal or "")
        capsys.readouterr()
        code = main(["keys", *arguments, "--storage", store])
        return code, capsys.readouterr().err

    def is_sealed():
        with_seal = organization_at(store)
        try:
            with_seal.keys.signers(actor=ACTOR)
        except StorageUnavailable:
            return True
        return False

    run.is_sealed = is_sealed
    run.store = store
    return run


def test_sealed_keys_are_not_rotated_without_the_seal(keys, monkeypatch):
    """A forgotten variable would leave keys that no server with the seal takes: refused, and nothing is changed."""
    keys("rotate", seal=OLD)
    code, said = keys("rotate")
    assert code == 2
    assert "set NPROXY_SEAL_KEY" in said
    assert "--unseal" in said
    assert keys("list", seal=OLD)[0] == 0
    publish(organization_at(keys.store), "@acme/utils", "1.0.0")


def test_unseal_is_asked_for(keys):
    """Then they are stored as they are, and a process with a seal says so."""
    keys("rotate", seal=OLD)
    assert keys("rotate", "--unseal") == (0, "")
    assert not keys.is_sealed()
    code, said = keys("list", seal=OLD)
    assert code == 2
    assert "unsealed although NPROXY_SEAL_KEY is set" in said


def test_unseal_contradicts_a_seal_key(keys):
    """One of the two is a mistake."""
    keys("rotate", seal=OLD)
    assert keys("rotate", "--unseal", seal=OLD)[0] == 2


@pytest.mark.parametrize("seal", [None, OLD], ids=["unsealed", "sealed"])
def test_rotation_is_the_way_out_of_a_lost_seal_key(keys, seal):
    """With a new one, without the old; and the way from unsealed keys to sealed ones."""
    keys("rotate", seal=seal)
    assert keys("rotate", seal=NEW) == (0, "")
    assert keys("list", seal=NEW)[0] == 0


def test_unsealed_keys_are_rotated_as_they_are(keys):
    """Where there never was a seal there is nothing to say."""
    assert keys("rotate") == (0, "")
    assert keys("rotate") == (0, "")


def test_no_keys_are_said(keys):
    """An empty table is a sentence."""
    assert keys("list") == (0, "There are no keys yet: the first publish creates them.\n")
