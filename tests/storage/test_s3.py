"""Storage in a bucket: the contract on a real engine, and failures on one that fails as it is told."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest
from support.cutting_relay import cutting_relay
from support.scripted_s3 import Bucket, scripted_bucket

from nproxy_mw.errors import Changed, Exists, Missing, StorageUnavailable
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.storage.s3 import S3Storage
from nproxy_mw.storage.s3_requests import Refusal, S3Requests
from nproxy_mw.testing import StorageContract


@pytest.fixture(scope="module")
def s3_storage(s3_url: str) -> Storage:
    """The whole bucket. One for all tests, since a client takes half a second to make."""
    return open_storage(s3_url, freshness=0)


@pytest.fixture
def folder() -> str:
    """A folder of the bucket that no other test has."""
    return secrets.token_hex(8)


@pytest.fixture
def folder_url(s3_url: str, folder: str) -> str:
    return f"{s3_url}/{folder}"


@pytest.mark.e2e
class TestS3Storage(StorageContract):
    """The contract, between threads and processes; in small races, for the engine makes the losers of a race wait."""

    contenders = 2
    rounds = 3
    increments = 10
    processes = 2
    process_increments = 10

    @pytest.fixture
    def storage(self, s3_storage: Storage, folder: str) -> Storage:
        return Prefixed(s3_storage, folder)

    @pytest.fixture
    def opener(self, folder_url: str) -> Callable[[], Storage]:
        return partial(open_storage, folder_url, freshness=0)


@pytest.mark.e2e
def test_listing_goes_on_after_a_page(s3_url: str, folder_url: str) -> None:
    """A listing of more objects than one answer holds is whole."""
    bucket, _, prefix = folder_url.removeprefix("s3://").partition("/")
    storage = S3Storage(bucket, prefix, page=3)
    keys = {f"a/{number}" for number in range(10)}
    for key in keys:
        storage.create(key, b"")
    found = list(storage.list("a"))
    assert len(found) == 10
    assert set(found) == keys


@pytest.mark.e2e
def test_missing_bucket_is_told(s3_url: str) -> None:
    """A bucket that does not exist is no missing object: the sentence says what to do."""
    storage = open_storage("s3://no-such-bucket-here")
    for call in (lambda: storage.read("a"), lambda: list(storage.list())):
        with pytest.raises(StorageUnavailable, match="create it"):
            call()


@pytest.mark.e2e
def test_wrong_secret_is_told_and_kept(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret key is StorageUnavailable, at once, and in no message."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-still-secret")
    with pytest.raises(StorageUnavailable, match="AWS_SECRET_ACCESS_KEY") as caught:
        open_storage(s3_url).create("a", b"")
    assert "still-secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.e2e
def test_storage_made_before_a_fork_works_after_it(folder_url: str) -> None:
    """A storage that was used before a fork works in the child and goes on working in the parent."""
    storage = open_storage(folder_url)
    revision = storage.create("a", b"parent")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the point
        child = os.fork()
    if child == 0:
        try:
            storage.replace("a", b"child", revision)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert storage.read("a").data == b"child"


@pytest.mark.e2e
def test_write_that_is_cut_off_leaves_what_was_there(folder_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that dies after the head of its request replaces nothing, and creates nothing."""
    bucket, _, prefix = folder_url.removeprefix("s3://").partition("/")
    storage = S3Storage(bucket, prefix)
    revision = storage.create("old", b"whole")
    with cutting_relay(os.environ["AWS_ENDPOINT_URL"]) as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL", relay.url)
        dying = S3Storage(bucket, prefix, requests=S3Requests(sleep=lambda _: None))
        with pytest.raises(StorageUnavailable):
            dying.replace("old", b"new", revision)
        with pytest.raises(StorageUnavailable):
            dying.create("new", b"new")
    assert relay.cut >= 2
    assert storage.read("old").data == b"whole"
    assert list(storage.list()) == ["old"]


@pytest.fixture(scope="module")
def scripted_server() -> Iterator[tuple[Bucket, S3Requests]]:
    """A bucket that fails as it is told, and requests to it that never pause."""
    requests = S3Requests(sleep=lambda _: None)
    with scripted_bucket() as bucket, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testkey")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret123")
        patch.setenv("AWS_ENDPOINT_URL", bucket.url)
        with suppress(Refusal):
            requests.send("head_bucket", Bucket="tests")
        yield bucket, requests


@pytest.fixture
def bucket(scripted_server: tuple[Bucket, S3Requests]) -> Bucket:
    bucket = scripted_server[0]
    bucket.reset()
    return bucket


@pytest.fixture
def scripted(bucket: Bucket, scripted_server: tuple[Bucket, S3Requests]) -> S3Storage:
    return S3Storage("tests", requests=scripted_server[1])


PASSING = [
    pytest.param("503 SlowDown", id="slow down"),
    pytest.param("500 InternalError", id="error"),
    pytest.param("502 ", id="bad gateway"),
    pytest.param("429 TooManyRequests", id="too many"),
    pytest.param("409 ConditionalRequestConflict", id="conflict"),
    pytest.param("drop", id="dropped"),
    pytest.param("lose", id="lost answer"),
]


@pytest.mark.parametrize("failure", PASSING)
def test_failure_that_passes_is_not_noticed(bucket: Bucket, scripted: S3Storage, failure: str) -> None:
    """Every verb outlives a failure that passes, even when it was carried out and only the answer got lost."""
    bucket.script = [failure]
    first = scripted.create("a", b"1")
    bucket.script = [failure]
    second = scripted.replace("a", b"2", first)
    bucket.script = [failure]
    assert scripted.read("a") == scripted.read("a")
    bucket.script = [failure]
    assert scripted.read_if_changed("a", second) is None
    bucket.script = [failure]
    with suppress(Missing):  # what is gone may be our own doing: the HTTP client asks once more without telling
        scripted.delete("a")
    with pytest.raises(Missing):
        scripted.read("a")


def test_deletion_that_another_process_was_quicker_with_is_done(bucket: Bucket, scripted: S3Storage) -> None:
    """Between the look and the deletion the object may go: it is gone, as was wanted."""
    scripted.create("a", b"1")
    bucket.seen.clear()
    bucket.script = ["", "404 NoSuchKey"]
    scripted.delete("a")
    assert bucket.seen == ["HEAD", "DELETE"]


def test_writes_do_not_wait_for_permission(bucket: Bucket, scripted: S3Storage) -> None:
    """No write sends ``Expect: 100-continue``: that costs a round trip, or hangs where it is never answered."""
    scripted.replace("a", b"2", scripted.create("a", b"1"))
    scripted.delete("a")
    assert bucket.seen == ["PUT", "PUT", "HEAD", "DELETE"]
    assert all("expect" not in headers for headers in bucket.headers)


@pytest.mark.parametrize("failure", PASSING)
def test_failure_that_stays_is_given_up_on(bucket: Bucket, scripted: S3Storage, failure: str) -> None:
    """A failure that does not pass ends in StorageUnavailable, after a bounded number of requests."""
    bucket.script = [failure] * 100
    with pytest.raises(StorageUnavailable) as caught:
        scripted.read("a")
    assert caught.value.retry_after >= 1
    assert "testsecret123" not in caught.value.message
    assert len(bucket.seen) <= 12


def test_deadline_ends_the_tries(
    bucket: Bucket, scripted_server: tuple[Bucket, S3Requests], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the time is over, a failure is not tried again."""
    times = iter([0.0, 100.0])
    monkeypatch.setattr(scripted_server[1], "_monotonic", lambda: next(times))
    storage = S3Storage("tests", requests=scripted_server[1])
    bucket.script = ["500 InternalError"] * 3
    with pytest.raises(StorageUnavailable):
        storage.read("a")
    assert len(bucket.seen) == 1


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        pytest.param("403 InvalidAccessKeyId", "AWS_ACCESS_KEY_ID", id="unknown key"),
        pytest.param("403 SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY", id="wrong secret"),
        pytest.param("403 AccessDenied", "credentials", id="forbidden"),
        pytest.param("404 NoSuchBucket", "create it", id="no bucket"),
        pytest.param("301 PermanentRedirect", "region", id="elsewhere"),
        pytest.param("400 InvalidArgument", "400", id="anything else"),
    ],
)
def test_failure_that_does_not_pass_is_told_at_once(
    bucket: Bucket, scripted: S3Storage, failure: str, word: str
) -> None:
    """What only a person can mend is not tried again, and the sentence says what it is."""
    bucket.script = [failure] * 2
    with pytest.raises(StorageUnavailable, match=word) as caught:
        scripted.create("a", b"")
    assert "testsecret123" not in caught.value.message
    assert bucket.seen.count("PUT") == 1


def test_lost_race_is_not_taken_for_a_lost_answer(bucket: Bucket, scripted: S3Storage) -> None:
    """A 412 after somebody else wrote the same bytes is still a lost race."""
    first = scripted.create("a", b"1")
    bucket.script = ["drop"]
    with pytest.raises(Exists):
        scripted.create("a", b"1")
    scripted.replace("a", b"2", first)
    bucket.script = ["drop"]
    with pytest.raises(Changed):
        scripted.replace("a", b"2", first)


def test_stream_outlives_a_dropped_connection(bucket: Bucket, scripted: S3Storage) -> None:
    """A stream asks for a block again when the connection is lost in the middle."""
    data = secrets.token_bytes(3_000_000)
    scripted.create("a", data)
    with scripted.open("a") as stream:
        bucket.script = ["drop", "", "503 SlowDown"]
        assert stream.read() == data


def test_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is not there is StorageUnavailable."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret123")
    with pytest.raises(StorageUnavailable, match="does not answer"):
        S3Storage("tests", requests=S3Requests(sleep=lambda _: None)).read("a")


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the sentence names the variables."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageUnavailable, match="AWS_ACCESS_KEY_ID"):
        S3Storage("tests").read("a")
