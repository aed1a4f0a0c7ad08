"""What must be true of a store after a command met with a fault, wherever that was."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import orjson

from nproxy_mw.errors import Conflict, NotFound
from nproxy_mw.npm.forms import Form, written
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.packages.source import StoredPackages
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import utc_now
from nproxy_mw.upkeep.check import OrphanFinding, check
from nproxy_mw.upkeep.gc import gc
from support.commands import Command, opened

_HARMLESS = ("the index lacks this event", "does not record the last change yet")


def verify(storage: Storage, command: Command, before: object, after: object, *, acknowledged: bool) -> None:
    """Asserts that nothing is lost, nothing half-visible, and that the command can be repeated."""
    found = command.seen(opened(storage))
    assert found == after if acknowledged else found in (before, after)
    assert_readable(opened(storage))
    findings = list(check(storage))
    assert [str(it) for it in findings if not is_harmless(it)] == []
    repeat(storage, command, took_effect=found == after)
    assert command.seen(opened(storage)) == after
    assert_readable(opened(storage))
    assert_mendable(storage)


def is_harmless(finding: object) -> bool:
    """Whether a finding is what a crash may leave: bytes that nobody names, an event told a little later."""
    return isinstance(finding, OrphanFinding) or any(sentence in str(finding) for sentence in _HARMLESS)


def assert_readable(organization: Organization) -> None:
    """Every package that is listed can be read in every form, with the bytes of every version."""
    for name in organization.packages.names():
        document = StoredPackages(organization.packages).packument(name)
        assert document is not None
        versions = document.packument.versions
        for form in Form:
            assert orjson.loads(written(document.packument, form, ""))["versions"].keys() == versions.keys()
        for version in versions:
            tarball = organization.packages.open_tarball(name, name.tarball(version))
            with tarball.stream as stream:
                assert len(stream.read()) == tarball.size


def repeat(storage: Storage, command: Command, *, took_effect: bool) -> None:
    """Runs the command again, as whoever got no answer does. Only what took effect may be refused."""
    try:
        command.act(opened(storage))
    except (Conflict, NotFound):
        assert took_effect


def assert_mendable(storage: Storage) -> None:
    """After a repair and two collections there is nothing left to find."""
    for later in (0, 2):
        with suppress(StopIteration):
            list(gc(storage, clock=lambda hours=later: utc_now() + timedelta(hours=hours)))
    assert [str(finding) for finding in check(storage, repair=True)] == []
