"""Budget: room is counted when it is taken and when it is given back."""

from __future__ import annotations

import os

import pytest
from support.patching import patch_here

from nproxy_mw.cli.worker.budget import Budget, BudgetFile


def test_memory_is_bounded():
    """What does not fit takes none."""
    budget = Budget(10, 0)
    first, second = bytes(6), b"second"
    assert budget.pin(first)
    assert not budget.pin(second)
    budget.unpin(first)
    assert budget.pin(second)


def test_bytes_that_many_wait_with_count_once():
    """A document that is kept is sent to all from the same memory."""
    budget = Budget(10, 0)
    document = bytes(10)
    assert all(budget.pin(document) for _ in range(5))
    for _ in range(4):
        budget.unpin(document)
    assert not budget.pin(b"one more")
    budget.unpin(document)
    assert budget.pin(b"one more")


def test_disk_is_bounded_and_given_back():
    """As a full disk would be."""
    budget = Budget(0, 10)
    file = BudgetFile(budget)
    file.append(memoryview(b"0123456"))
    with pytest.raises(OSError, match="No space left"):
        file.append(memoryview(b"789x"))
    assert budget.is_half_full
    file.append(memoryview(b"789"))
    assert (file.read(4), file.read(100), file.size) == (b"0123", b"456789", 10)
    file.close()
    file.close()
    assert not budget.is_half_full
    budget.take_disk(10)


def test_short_writes_are_gone_on_with(monkeypatch):
    """The system may take less than it is given."""
    write = os.pwrite
    patch_here(monkeypatch, os, "pwrite", lambda file, data, at: write(file, data[:3], at))
    file = BudgetFile(Budget(0, 100))
    file.append(memoryview(b"0123456789"))
    assert file.read(100) == b"0123456789"
    file.close()
