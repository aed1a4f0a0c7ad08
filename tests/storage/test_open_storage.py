"""One URL opens a storage."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nproxy_mw.storage import FsspecStorage, LocalStorage, open_storage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.locks import FileLocks, locks_for
from nproxy_mw.storage.s3 import S3Storage


@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_folder_is_opened(tmp_path: Path, scheme: str) -> None:
    """A path and a file URL open the folder they name."""
    storage = open_storage(f"{scheme}{tmp_path}/npm")
    assert isinstance(storage, LocalStorage)
    assert storage.root == tmp_path / "npm"


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        pytest.param("file://{}/my%20npm", "my npm", id="encoded in a URL"),
        pytest.param("file://{}/my npm", "my npm", id="plain in a URL"),
        pytest.param("{}/my%20npm", "my%20npm", id="a path is taken as it is"),
    ],
)
def test_percent_means_what_it_means_in_a_url(tmp_path: Path, url: str, folder: str) -> None:
    """RFC 8089: a file URL is percent-encoded; its locks lie in the same folder."""
    storage = open_storage(url.format(tmp_path))
    assert isinstance(storage, LocalStorage)
    assert storage.root == tmp_path / folder
    assert locks_for(url.format(tmp_path)) == FileLocks(tmp_path / folder / ".locks" / "names")


def test_folder_that_could_be_meant_is_asked_for(tmp_path: Path) -> None:
    """A store whose folder has a '%' in its name is not passed over for an empty one."""
    (tmp_path / "my%20npm").mkdir()
    with pytest.raises(ValueError, match="without file://"):
        open_storage(f"file://{tmp_path}/my%20npm")
    assert isinstance(open_storage(f"{tmp_path}/my%20npm"), LocalStorage)


def test_memory_is_opened() -> None:
    """A memory URL opens a storage of this process."""
    assert isinstance(open_storage("memory://x"), FsspecStorage)


@pytest.mark.parametrize("prefix", ["", "/", "/npm", "/a/b/"])
def test_bucket_is_opened(prefix: str) -> None:
    """An S3 URL opens a bucket without asking it; with no freshness, it is asked each time."""
    asked = open_storage(f"s3://my-bucket{prefix}", freshness=0)
    assert isinstance(asked, FreshnessCache)
    assert asked.seconds == 0
    bucket = asked.storage
    assert isinstance(bucket, S3Storage)
    assert (bucket.bucket, bucket.prefix.strip("/")) == ("my-bucket", prefix.strip("/"))
    fresh = open_storage(f"s3://my-bucket{prefix}", freshness=5)
    assert isinstance(fresh, FreshnessCache)
    assert fresh.seconds == 5
    assert fresh.generations is not None
    assert asked.generations is not None
    assert fresh.generations.path == asked.generations.path


@pytest.mark.parametrize(
    ("url", "word"),
    [
        pytest.param("", "no name", id="empty"),
        pytest.param("file://", "no name", id="no path"),
        pytest.param("file://srv/npm", "three slashes", id="two slashes"),
        pytest.param("a\0b", "no name", id="NUL"),
        pytest.param("sftp://host/npm", "not supported", id="another kind"),
        pytest.param("simplecache::s3://bucket", "not supported", id="chain"),
        pytest.param("s3://", "bucket", id="no bucket"),
        pytest.param("s3://Bucket_1", "bucket", id="bad bucket"),
        pytest.param("s3://bucket/../x", "prefix", id="bad prefix"),
        pytest.param("s3://bucket/" + "x/" * 100, "prefix", id="long prefix"),
    ],
)
def test_url_that_is_none_is_refused(url: str, word: str) -> None:
    """The sentence says how to write it."""
    with pytest.raises(ValueError, match=word):
        open_storage(url)


def test_bucket_without_its_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without s3fs, the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "nproxy_mw.storage.s3", None)
    with pytest.raises(ValueError, match=r"nproxy_mw\[s3\]"):
        open_storage("s3://bucket")
