"""Storage in a bucket, for any number of machines, on an S3 engine with conditional writes.

*Strategy:* a revision is the object's ETag, and every write is one PutObject with ``If-None-Match: *`` or ``If-Match``;
never a multipart upload, whose conditions are not atomic everywhere. Engines that take these headers and ignore them
are found by `nproxy_mw.storage.probe`.

A 412 does not always mean that another writer came first: the answer to our own write may have been lost, and the
write sent again, by us or by the layers below. So each write carries a mark of its own, and after a 412 we look whether
the object that is there carries it.

Each write states the MD5 of its data. Otherwise an engine may take the end of a connection for the end of the data, and
a writer that is killed at the wrong moment would leave an empty object in place of the old one.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO, cast

from nproxy_mw.errors import Changed, Exists, Missing, StorageUnavailable
from nproxy_mw.storage.port import Revision, Stored, check_key, is_key
from nproxy_mw.storage.s3_requests import Refusal, S3Requests

_MARK = "nproxy-write"  # the user metadata that tells one write from all others
_BLOCK = 1024 * 1024  # bytes; what a stream asks for at once, and holds in memory

_PLACES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_CONFIG_FILE")


class S3Storage:
    """The objects below *prefix* in *bucket*."""

    def __init__(self, bucket: str, prefix: str = "", *, requests: S3Requests | None = None, page: int = 1000) -> None:
        self.bucket = bucket
        self.prefix = f"{check_key(prefix)}/" if prefix else ""
        self._page = page  # keys in one page of a listing
        self._requests = requests or S3Requests()

    def __repr__(self) -> str:
        return f"S3Storage({self.bucket!r}, {self.prefix!r})"

    @property
    def address(self) -> str:
        """Names the bucket and the prefix among all that the AWS variables can lead to: see `storage.places`."""
        found = (os.environ.get(name, "") for name in _PLACES)
        return " ".join([*found, self.bucket, self.prefix])

    def read(self, key: str) -> Stored:
        try:
            response = self._requests.send("get_object", Bucket=self.bucket, Key=self._path(key))
        except Refusal as refusal:
            raise Missing("There is no such object.") from refusal
        return Stored(response["Body"], Revision(response["ETag"]))

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        try:
            response = self._requests.send("get_object", Bucket=self.bucket, Key=self._path(key), IfNoneMatch=revision)
        except Refusal as refusal:
            if refusal.status == 304:
                return None
            raise Missing("There is no such object.") from refusal
        return Stored(response["Body"], Revision(response["ETag"]))

    def open(self, key: str) -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_ObjectStream(self._requests, self.bucket, self._path(key)), _BLOCK))

    def create(self, key: str, data: bytes) -> Revision:
        try:
            return self._put(key, data, IfNoneMatch="*")
        except Refusal as refusal:
            raise Exists("The key is taken.") from refusal

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        try:
            return self._put(key, data, IfMatch=revision)
        except Refusal as refusal:
            raise Changed("The object has another revision, or is gone.") from refusal

    def delete(self, key: str) -> None:
        # S3 responses the deletion of nothing like that of something.
        if self._head(key) is None:
            raise Missing("There is no such object.")
        with suppress(Refusal):  # 404: another process, or a request of ours whose response was lost, was quicker
            self._requests.send("delete_object", Bucket=self.bucket, Key=self._path(key))

    def list(self, prefix: str = "") -> Iterator[str]:
        return (key for key, _ in self._pages(prefix))

    def list_with_revisions(self, prefix: str = "") -> Iterator[tuple[str, Revision]]:
        return ((key, Revision(entry["ETag"])) for key, entry in self._pages(prefix))

    def list_with_times(self, prefix: str = "") -> Iterator[tuple[str, datetime | None]]:
        return ((key, entry.get("LastModified")) for key, entry in self._pages(prefix))

    def _pages(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The keys in *folder*, and what the engine lists of each, page by page."""
        prefix = f"{self._path(folder)}/" if folder else self.prefix
        more: dict[str, object] = {}
        while True:
            response = self._requests.send(
                "list_objects_v2", Bucket=self.bucket, Prefix=prefix, MaxKeys=self._page, **more
            )
            for entry in response.get("Contents", ()):
                key = entry["Key"][len(self.prefix) :]
                if is_key(key):
                    yield key, entry
            if not response.get("IsTruncated"):
                return
            more = {"ContinuationToken": response["NextContinuationToken"]}

    def _path(self, key: str) -> str:
        """The object's name in the bucket."""
        return f"{self.prefix}{check_key(key)}"

    def _put(self, key: str, data: bytes, **condition: str) -> Revision:
        """Writes under a condition. Raises `Refusal` when it does not hold."""
        path = self._path(key)
        mark = secrets.token_hex(16)
        try:
            response = self._requests.send(
                "put_object",
                Bucket=self.bucket,
                Key=path,
                Body=data,
                ContentMD5=_md5_of(data),
                Metadata={_MARK: mark},
                **condition,
            )
            return Revision(response["ETag"])
        except Refusal:
            found = self._head(key)
            if found is not None and found[1] == mark:
                return found[0]
            raise

    def _head(self, key: str) -> tuple[Revision, str] | None:
        """The revision an object is at, and the mark of the write that made it; None when there is none."""
        try:
            response = self._requests.send("head_object", Bucket=self.bucket, Key=self._path(key))
        except Refusal:
            return None
        return Revision(response["ETag"]), response.get("Metadata", {}).get(_MARK, "")


def _md5_of(data: bytes) -> str:
    """The value of ``Content-MD5``, which every engine understands."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


class _ObjectStream(io.RawIOBase):
    """An object, block by block: a slow reader holds no connection, and a lost connection costs one block.

    Later blocks are requested under the ETag of the first, so that they never come from another object.
    """

    def __init__(self, requests: S3Requests, bucket: str, path: str) -> None:
        super().__init__()
        self._requests = requests
        self._object = {"Bucket": bucket, "Key": path}
        self._position = 0
        self._rest = b""
        try:
            response = self._next_block()
        except Refusal as refusal:
            if refusal.status != 416:
                raise Missing("There is no such object.") from refusal
            self._size = 0  # no range is within an empty object
            return
        self._rest = response["Body"]
        self._size = int(response["ContentRange"].rpartition("/")[2])
        self._object["IfMatch"] = response["ETag"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest and self._position < self._size:
            try:
                self._rest = self._next_block()["Body"]
            except Refusal as refusal:
                raise StorageUnavailable("The object was replaced or deleted while it was read.") from refusal
        piece = self._rest[: len(buffer)]
        buffer[: len(piece)] = piece
        self._rest = self._rest[len(piece) :]
        self._position += len(piece)
        return len(piece)

    def _next_block(self) -> dict[str, Any]:
        """The response that holds the bytes from here on."""
        span = f"bytes={self._position}-{self._position + _BLOCK - 1}"
        return self._requests.send("get_object", Range=span, **self._object)
