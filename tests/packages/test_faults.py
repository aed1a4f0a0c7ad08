"""A storage that fails, loses answers or dies with its process: packages stay whole."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
from support.packages import ANN, NAME, assert_whole, keys, memory, packages_on, publication, recorded

from nproxy_mw.errors import Conflict, NotFound, StorageUnavailable
from nproxy_mw.testing.faults import Faulty

OTHER = publication("2.0.0")


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
@pytest.mark.parametrize("stored", [0, 1], ids=["first version", "second version"])
@pytest.mark.parametrize("times", [1, 3])
def test_storage_that_fails_anywhere_leaves_the_package_whole(kind, stored, times):
    """Wherever the storage fails or its answer is lost: readable throughout, and publishing again ends well."""
    for at in itertools.count(1):
        storage = memory()
        if stored:
            packages_on(storage).publish(publication(), ANN)
        faulty = Faulty(storage, at, kind, times=times)
        acknowledged = False
        with suppress(StorageUnavailable):
            packages_on(faulty).publish(OTHER, ANN)
            acknowledged = True
        assert_whole(storage)
        with suppress(Conflict):  # it was stored, and only the answer was lost
            packages_on(storage).publish(OTHER, ANN)
            assert not acknowledged
        assert packages_on(storage).read(NAME)[0]["versions"].keys() == {"1.0.0", "2.0.0"} - (
            {"1.0.0"} if not stored else set()
        )
        assert recorded(packages_on(storage)).count(("package.published", "2.0.0")) == 1
        assert_whole(storage)
        if not faulty.struck:
            assert acknowledged
            assert at > 3
            break


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
def test_unpublish_that_fails_anywhere_is_all_or_nothing(kind):
    """A reader gets everything or nothing, and unpublishing again ends well."""
    for at in itertools.count(1):
        storage = memory()
        packages_on(storage).publish(publication(), ANN)
        revision = packages_on(storage).read(NAME)[0]["_rev"]
        faulty = Faulty(storage, at, kind)
        with suppress(StorageUnavailable):
            packages_on(faulty).unpublish(NAME, revision, ANN)
        assert_whole(storage)
        with suppress(NotFound):
            packages_on(storage).unpublish(NAME, revision, ANN)
        with pytest.raises(NotFound):
            packages_on(storage).read(NAME)
        assert recorded(packages_on(storage))[-1] == ("package.unpublished", None)
        if not faulty.struck:
            break


class Crash(BaseException):
    """The process dies: nothing catches it."""


@pytest.mark.parametrize("where", ["before", "after"])
def test_crash_between_the_two_writes_does_no_harm(storage, where):
    """The bytes are stored and the record is not yet, or just: the package is readable, and publishing ends well."""
    packages_on(storage).publish(publication(), ANN)

    class Dying:
        def __getattr__(self, verb):
            def call(key="", *arguments):
                if verb == "replace" and key.endswith("record.json"):
                    if where == "after":
                        storage.replace(key, *arguments)
                    raise Crash
                return getattr(storage, verb)(key, *arguments)

            return call

    with pytest.raises(Crash):
        packages_on(Dying()).publish(OTHER, ANN)
    assert_whole(storage)
    versions = packages_on(storage).read(NAME)[0]["versions"].keys()
    assert versions == ({"1.0.0"} if where == "before" else {"1.0.0", "2.0.0"})
    with suppress(Conflict):
        packages_on(storage).publish(OTHER, ANN)
    assert packages_on(storage).read(NAME)[0]["versions"].keys() == {"1.0.0", "2.0.0"}
    assert_whole(storage)


def test_tarballs_that_cannot_be_removed_are_no_failure(storage, caplog):
    """The package is unpublished all the same; what is left is found by gc."""

    class Sticky:
        def __getattr__(self, verb):
            def call(key="", *arguments):
                if verb == "delete":
                    raise StorageUnavailable("The disk is read-only.")
                return getattr(storage, verb)(key, *arguments)

            return call

    packages = packages_on(Sticky())
    packages.publish(publication(), ANN)
    packages.unpublish(NAME, packages.read(NAME)[0]["_rev"], ANN)
    assert "left behind" in caplog.text
    with pytest.raises(NotFound):
        packages.read(NAME)


def test_tarball_that_goes_between_the_two_reads_is_not_found(storage):
    """Unpublished while it was asked for: 404, not a bug."""
    packages = packages_on(storage)
    packages.publish(publication(), ANN)
    (key,) = [key for key in keys(storage) if key.endswith(".tgz")]
    storage.delete(key)
    with pytest.raises(NotFound):
        packages.open_tarball(NAME, "utils-1.0.0.tgz")
