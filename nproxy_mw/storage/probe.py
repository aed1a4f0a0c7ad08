"""Asks a storage, before anything is entrusted to it, whether it keeps the promises that races depend on."""

from __future__ import annotations

import secrets
from contextlib import suppress

from nproxy_mw.errors import Changed, Exists, Missing
from nproxy_mw.storage.layout import PROBE
from nproxy_mw.storage.port import Revision, Storage

_CURE = (
    "Writers would overwrite each other there. Use an S3 engine with conditional writes, such as AWS S3 or SeaweedFS, "
    "or a local folder on one machine."
)


def probe(storage: Storage) -> None:
    """Makes writes that must fail, on an object of its own that it removes again.

    About half of the S3 engines accept conditions and ignore them; only trying tells them apart.

    Raises:
        ValueError: the storage lets a writer win that came too late. The sentence says what to use instead.
        StorageUnavailable: the storage cannot be read or written just now.
    """
    key = PROBE.key(secrets.token_hex(16))
    try:
        _check_conditions(storage, key)
    finally:
        with suppress(Missing):
            storage.delete(key)


def _check_conditions(storage: Storage, key: str) -> None:
    """Tries each conditional write with the right condition and with a wrong one."""
    first = storage.create(key, b"first")
    try:
        second = storage.replace(key, b"second", first)
    except Changed as error:
        raise ValueError(f"This storage refuses to replace what was just written. {_CURE}") from error
    if not _refuses_creation(storage, key):
        raise ValueError(f"This storage creates an object over another one. {_CURE}")
    if not _refuses_replacement(storage, key, first):
        raise ValueError(f"This storage replaces an object that has changed meanwhile. {_CURE}")
    if storage.read(key).data != b"second" or storage.read_if_changed(key, second) is not None:
        raise ValueError(f"This storage does not return what was written last. {_CURE}")


def _refuses_creation(storage: Storage, key: str) -> bool:
    """Whether a second ``create`` fails."""
    try:
        storage.create(key, b"created twice")
    except Exists:
        return True
    return False


def _refuses_replacement(storage: Storage, key: str, stale: Revision) -> bool:
    """Whether a ``replace`` with a stale revision fails."""
    try:
        storage.replace(key, b"replaced twice", stale)
    except Changed:
        return True
    return False
