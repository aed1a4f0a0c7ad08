"""The attachments of a publish document: one tarball and, with ``--provenance``, one sigstore bundle.

The names are compared, never used: the name of the file in URLs and storage is our own. The bundle is checked for its
form and dropped: it is not served.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Any

from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import parse_object
from nproxy_mw.npm.names import Name

MAX_BUNDLE = 4 * 1024 * 1024
"""Bytes of a sigstore bundle. Real ones have about 15 KB."""


def parse_attachments(name: Name, version: str, value: Any) -> bytes:
    """Returns the tarball in ``_attachments``.

    Raises:
        BadRequest: there is not exactly one tarball of this name and version, or more than it and its bundle.
    """
    if not isinstance(value, dict):
        raise _refusal("must have an object as its _attachments")
    left = dict(value)
    stems = (f"{name}-{version}", f"{name.base}-{version}")  # some clients leave the scope out
    tarball = _take(left, stems, version, ".tgz")
    bundle = _take(left, stems, version, ".sigstore")
    if tarball is None or left:
        raise _refusal("must have exactly one tarball among its _attachments, named <name>-<version>.tgz")
    if bundle is not None:
        _check_bundle(bundle)
    return _decode(tarball)


def _take(left: dict[str, Any], stems: Collection[str], version: str, suffix: str) -> Mapping[str, Any] | None:
    """Takes the attachment with one of these *stems* and that *suffix* out of *left*."""
    found = [key for key in left if key.endswith(suffix) and _without_build(key.removesuffix(suffix), version) in stems]
    if not found:
        return None
    attachment = left.pop(found[0])
    if not isinstance(attachment, dict) or not isinstance(attachment.get("data"), str):
        raise _refusal("has an attachment that is not an object with a string as its data")
    return attachment


def _without_build(stem: str, version: str) -> str:
    """bun drops a version's build part everywhere but in this name."""
    return stem if "+" in version else stem.partition("+")[0]


def _decode(attachment: Mapping[str, Any]) -> bytes:
    text: str = attachment["data"]
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise _refusal("has a tarball that is not plain base64") from error
    # The last letter may carry bits that decode to nothing, so one tarball would have several spellings.
    tail = len(data) % 3 or 3
    if not data or base64.b64encode(data[-tail:]).decode() != text[-4:]:
        raise _refusal("has a tarball that is empty or not plain base64")
    _check_length(attachment, len(data))
    return data


def _check_bundle(attachment: Mapping[str, Any]) -> None:
    text: str = attachment["data"]
    data = text.encode()
    if len(data) > MAX_BUNDLE:
        raise _refusal(f"has a sigstore bundle of more than {MAX_BUNDLE // 2**20} MiB")
    parse_object(data, "The sigstore bundle")
    _check_length(attachment, len(text.encode("utf-16-le")) // 2)  # JavaScript counts in UTF-16


def _check_length(attachment: Mapping[str, Any], length: int) -> None:
    given = attachment.get("length", length)
    if type(given) is not int or given != length:
        raise _refusal("has an attachment whose length is not that of its data; it may have been cut off on the way")


def _refusal(what: str) -> BadRequest:
    return BadRequest(f"The publish document {what}.", code="invalid-publication")
