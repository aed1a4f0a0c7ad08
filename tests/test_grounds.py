"""Grounds of the real parts, each alone: who cannot tell what it went by says so, and vouches for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.registry import ACTOR
from support.repeating import World, world

from nproxy_mw.errors import Missing
from nproxy_mw.grounds import Witness, noted
from nproxy_mw.npm.documents import parse_range
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import open_organization
from nproxy_mw.packages.source import StoredPackages
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.upstream.tarball_store import TarballStore

PUBLIC, INTERNAL = parse_name("left-pad"), parse_name("@acme/utils")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_first_reads_of_a_public_package_are_unique(registry: World) -> None:
    """Nothing that was fetched or decided for the request itself is given again."""
    source, cached = registry.repeating.firewall.source, registry.repeating.gateway.cached
    assert cached is not None
    cached.packument(PUBLIC), source.observed(str(PUBLIC))
    with noted() as decision:
        source.decision(PUBLIC)
    with noted() as tarball:
        cached.tarball(PUBLIC, "left-pad-1.0.0.tgz").close()
    assert decision.is_unique
    assert tarball.is_unique


def test_what_is_absent_is_unique(tmp_path: Path) -> None:
    """An object that is not there has no look."""
    cache = RevisionCache(open_storage(str(tmp_path)), bytes)
    with noted() as grounds, suppress(Missing):
        cache.get("absent")
    assert grounds.is_unique
    assert TarballStore(open_storage(str(tmp_path))).look_at("tarballs/absent/absent-1.0.0.tgz", None) is None


def test_nobody_vouches_for_reads_past_what_is_kept(registry: World) -> None:
    """They are asked for as things are this moment, each time."""
    cached = registry.repeating.gateway.cached
    stored = StoredPackages(registry.repeating.organization.packages)
    assert cached is not None
    cached.packument(PUBLIC)
    with noted() as grounds:
        cached.packument(PUBLIC, for_write=True)
        stored.packument(INTERNAL, for_write=True)
    assert Witness.SOURCE not in grounds.vouched


def test_nobody_vouches_for_parts(registry: World) -> None:
    """A part of a tarball is read each time."""
    stored = StoredPackages(registry.repeating.organization.packages)
    with noted() as grounds:
        stored.tarball(INTERNAL, "utils-1.0.0.tgz", parse_range("bytes=0-3")).close()
    assert Witness.SOURCE not in grounds.vouched


def test_settings_that_were_never_stored_are_unique(tmp_path: Path) -> None:
    """Defaults end when somebody stores settings, and nothing tells of that."""
    settings = open_organization(open_storage(str(tmp_path)), ThreadLocks()).settings
    with noted() as grounds:
        settings.get()
    assert grounds.is_unique
    settings.change({"internalScopes": ["@acme"]}, actor=ACTOR)
    with noted() as grounds:
        settings.get()
    assert not grounds.is_unique
