"""What the URL of a storage names: the one place that takes it apart."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from nproxy_mw.storage.port import is_key

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_LONGEST_PREFIX = 120  # characters: with a key, within the 1024 bytes of S3
SUPPORTED = "use a folder's path, file:///srv/npm, s3://bucket/prefix or memory://name."


def split_url(url: str) -> tuple[str | None, str]:
    """Returns the scheme of *url* and what follows it; no scheme for a path.

    As fsspec does it, which brings a hundred modules and is needed for storages of other kinds only.

    Raises:
        TypeError: *url* is no text.
    """
    if not isinstance(url, str):
        raise TypeError(f"A place is given as text, not as {type(url).__name__}: {SUPPORTED}")
    scheme, separator, rest = url.partition("://")
    return (scheme, rest) if separator and len(scheme) > 1 else (None, url)


def is_local(url: str) -> bool:
    """Returns whether *url* is a path or a ``file://`` URL."""
    return split_url(url)[0] in (None, "file", "local")


def absolute(path: str) -> Path:
    """Returns *path*, also when it begins with ``file:``, as it is from any folder; ``~`` is the user's own."""
    path = path.removeprefix("file:").removeprefix("local:")
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - expanduser() of Path fails without a home


def local_folder(url: str) -> Path | None:
    """Returns the folder that a path or a ``file://`` URL names; None for a URL of another kind.

    In a URL, ``%20`` is a space, as RFC 8089 says; in a path, it is three characters.

    Raises:
        ValueError: it names none, or one that could be meant in two ways.
    """
    if not is_local(url):
        return None
    scheme, rest = split_url(url)
    if not rest or "\0" in unquote(rest):
        raise ValueError(f"The storage has no name: {SUPPORTED}")
    if scheme is None:
        return absolute(url)
    if not rest.startswith("/"):
        raise ValueError("A file:// storage needs three slashes and an absolute path: file:///srv/npm.")
    literal, decoded = (Path(path) for path in (rest, unquote(rest)))
    if literal != decoded and literal.exists():
        raise ValueError(
            f"In a file:// URL '%' begins an encoded character, and there is a folder named {literal.name!r}: give its "
            "path without file://."
        )
    return decoded


def bucket_and_prefix(url: str) -> tuple[str, str]:
    """Returns the bucket, and the folder in it, that an ``s3://`` URL names.

    Raises:
        ValueError: it names none.
    """
    bucket, _, prefix = split_url(url)[1].rstrip("/").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("An s3:// storage needs the name of a bucket: s3://bucket/prefix.")
    if prefix and (not is_key(prefix) or len(prefix) > _LONGEST_PREFIX):
        raise ValueError("The prefix in an s3:// URL is made of letters, digits and hyphens: s3://bucket/prefix.")
    return bucket, prefix
