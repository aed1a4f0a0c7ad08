"""Requests to an S3 engine: repeated while that helps, and every failure classified once.

s3fs provides the credentials, the event loop and the client; requests go through the client directly. s3fs itself would
retry five times on top of botocore and hide the status in the cause of an ``OSError``, and has no conditional read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import aiohttp
import s3fs
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.handlers import add_expect_header
from fsspec.asyn import sync

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.jitter import jitter

# The timeouts bound one request, the deadline bounds all attempts together: in sum less than the 30 seconds after which
# gunicorn kills a worker.
_CONFIG = {
    "connect_timeout": 3,
    "read_timeout": 12,
    "max_pool_connections": 64,  # the default of 10 makes 24 threads wait for each other
    "retries": {"total_max_attempts": 1, "mode": "standard"},  # `send` repeats them
    "request_checksum_calculation": "when_required",  # older engines do not know the newer checksums
    "response_checksum_validation": "when_required",
    "s3": {"addressing_style": "path"},  # only AWS resolves a bucket as a host name, and takes this too
}
_ATTEMPTS = 6
_DEADLINE = 12.0  # seconds after which a failure is not tried again
_FIRST_PAUSE = 0.1  # seconds, doubled each time, and cut by a random part
_LONGEST_PAUSE = 2.0

# A condition that does not hold, or no such object or range: the caller knows what that means.
_REFUSALS = {304, 404, 412, 416}
_TRANSIENT = {409, 429, 500, 502, 503, 504}  # 409: ConditionalRequestConflict, two conditional writes at one moment
_NO_CONNECTION = (HTTPClientError, NoConnection, IncompleteReadError, aiohttp.ClientError, OSError)
_SENTENCES = {
    "NoSuchBucket": "The storage's bucket does not exist: create it, or correct the storage's URL.",
    "InvalidAccessKeyId": "The storage does not know its access key: correct AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The storage does not accept its secret key: correct AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "The credentials for the storage have expired.",
    "RequestTimeTooSkewed": "The storage's clock and this machine's differ too much.",
    "PermanentRedirect": "The storage's bucket is in another region: set AWS_DEFAULT_REGION.",
    "AuthorizationHeaderMalformed": "The storage's bucket is in another region: set AWS_DEFAULT_REGION.",
    "403": "The storage does not let these credentials in: they need to read, write, delete and list in its bucket.",
    "429": "The storage is asked too often: it wants fewer requests.",
    "SlowDown": "The storage is asked too often: it wants fewer requests.",
}


class Refusal(Exception):
    """The engine's refusal of a request about one object: 304, 404, 412 or 416."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


class S3Requests:
    """Sends requests to the S3 engine that the standard AWS variables name, signed with their credentials."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep):
        self._monotonic = monotonic
        self._sleep = sleep
        self._built: list[tuple[int, s3fs.S3FileSystem]] = []

    def send(self, method: str, **arguments: object) -> dict[str, Any]:
        """Returns the engine's response to one request, with its ``Body`` read.

        Raises:
            Refusal: a condition did not hold, or there is no such object.
            StorageUnavailable: anything else. A write may then have been carried out all the same.
        """
        give_up = self._monotonic() + _DEADLINE
        for attempt in range(_ATTEMPTS):
            try:
                return self.send_once(method, arguments)
            except ClientError as error:
                status = _status_of(error)
                if status in _REFUSALS and _code_of(error) != "NoSuchBucket":
                    raise Refusal(status) from error
                failure: Exception = error
                may_help = status in _TRANSIENT
            except _NO_CONNECTION as error:
                failure = error
                may_help = True
            except BotoCoreError as error:
                failure = error
                may_help = False
            if not may_help or self._monotonic() > give_up:
                break
            self._sleep(jitter(0.5, 1.0) * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
        raise _unavailable(failure) from failure

    def send_once(self, method: str, arguments: dict[str, object]) -> dict[str, Any]:
        """Sends a request once, on the event loop that s3fs runs for all threads of this process."""
        fs = self._file_system()
        response: dict[str, Any] = sync(fs.loop, _response_to, fs, method, arguments)
        return response

    def _file_system(self) -> s3fs.S3FileSystem:
        """The file system of this process: one that was made before a fork does not work after it."""
        if not self._built or self._built[-1][0] != os.getpid():
            # The parent's stays referenced: finalizing it would wait for an event loop that this process does not run.
            self._built.append((os.getpid(), _new_file_system()))
        return self._built[-1][1]


def _new_file_system() -> s3fs.S3FileSystem:
    """A file system that caches nothing and is not shared."""
    region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
    return s3fs.S3FileSystem(
        client_kwargs={"region_name": region} if region else {},
        config_kwargs=_CONFIG,
        use_listings_cache=False,
        skip_instance_cache=True,
    )


async def _response_to(fs: s3fs.S3FileSystem, method: str, arguments: dict[str, object]) -> dict[str, Any]:
    """Sends one request and reads its whole response."""
    client = await fs.set_session()
    # Waiting for "100 Continue" costs a round trip for each small write, and hangs with an engine that never sends it.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    response: dict[str, Any] = await getattr(client, method)(**arguments)
    if "Body" in response:
        async with response["Body"] as body:
            response["Body"] = await body.read()
    return response


def _status_of(error: ClientError) -> int:
    """The HTTP status of an error."""
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status


def _code_of(error: ClientError) -> str:
    """The engine's code for what is wrong; the status, as text, where the response had no body."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def _unavailable(failure: Exception) -> StorageUnavailable:
    """A failure as a sentence. Nothing that the engine or the settings say is quoted."""
    if isinstance(failure, ClientError):
        default = f"The storage answered {_status_of(failure)}."
        sentence = _SENTENCES.get(_code_of(failure)) or _SENTENCES.get(str(_status_of(failure)), default)
    elif isinstance(failure, NoCredentialsError | PartialCredentialsError):
        sentence = "The storage needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    elif isinstance(failure, _NO_CONNECTION):
        sentence = "The storage does not answer."
    else:
        sentence = "The settings of the storage are not right: look at the AWS variables."
    return StorageUnavailable(sentence, retry_after=5)
