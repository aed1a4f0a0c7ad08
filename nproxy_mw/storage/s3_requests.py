"""Requests to an S3 engine: tried again while it helps, and every failure told apart once.

s3fs keeps the credentials, the event loop and the client; the requests themselves are the client's own. s3fs would
retry five times over on top of botocore, hide the status in the cause of an ``OSError``, and has no conditional read.
"""

from __future__ import annotations

import os
import random
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
from fsspec.asyn import sync

from nproxy_mw.errors import StorageUnavailable

# What one request may take is bounded by the timeouts, what all tries together may take by the deadline: together less
# than the 30 seconds after which gunicorn kills a worker.
_CONFIG = {
    "connect_timeout": 3,
    "read_timeout": 12,
    "max_pool_connections": 64,  # the default of 10 makes 24 threads wait for each other
    "retries": {"total_max_attempts": 1, "mode": "standard"},  # ours are enough
    "request_checksum_calculation": "when_required",  # older engines do not know the newer checksums
    "response_checksum_validation": "when_required",
    "s3": {"addressing_style": "path"},  # a bucket is no host name but at AWS, where both work
}
_ATTEMPTS = 6
_DEADLINE = 12.0  # seconds after which a failure is not tried again
_FIRST_PAUSE = 0.1  # seconds, doubled each time, and cut by a random part
_LONGEST_PAUSE = 2.0

# Answers to a condition or about one key: the caller knows what they mean.
_ANSWERS = {304, 404, 412, 416}
_PASSING = {409, 429, 500, 502, 503, 504}  # 409: ConditionalRequestConflict, two conditional writes at one moment
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
    "429": "The storage asks to be asked less often.",
    "SlowDown": "The storage asks to be asked less often.",
}


class Refusal(Exception):
    """The engine's answer about one object: 304, 404, 412 or 416.

    *repeated* means that an earlier try of the same request got no answer, and may have been carried out.
    """

    def __init__(self, status: int, *, repeated: bool) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status
        self.repeated = repeated


class S3Requests:
    """Asks an S3 engine, found and signed for as the standard AWS variables say."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep):
        self._monotonic = monotonic
        self._sleep = sleep
        self._built: list[tuple[int, s3fs.S3FileSystem]] = []

    def ask(self, method: str, **arguments: object) -> dict[str, Any]:
        """The engine's answer to one request; its ``Body``, if it has one, is read.

        Raises:
            Refusal: a condition did not hold, or there is no such object.
            StorageUnavailable: everything else. A write may then have been carried out all the same.
        """
        give_up = self._monotonic() + _DEADLINE
        repeated = False
        for attempt in range(_ATTEMPTS):
            try:
                return self.ask_once(method, arguments)
            except ClientError as error:
                status = status_of(error)
                if status in _ANSWERS and code_of(error) != "NoSuchBucket":
                    raise Refusal(status, repeated=repeated) from error
                failure: Exception = error
                passes = status in _PASSING
            except _NO_CONNECTION as error:
                failure = error
                passes = True
            except BotoCoreError as error:
                failure = error
                passes = False
            if not passes or self._monotonic() > give_up:
                break
            repeated = True
            self._sleep(random.uniform(0.5, 1.0) * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
        raise unavailable(failure) from failure

    def ask_once(self, method: str, arguments: dict[str, object]) -> dict[str, Any]:
        """One request, on the event loop that s3fs runs for all threads of this process."""
        fs = self.file_system()
        answer: dict[str, Any] = sync(fs.loop, answer_of, fs, method, arguments)
        return answer

    def file_system(self) -> s3fs.S3FileSystem:
        """This process's own: one that was made before a fork would not work after it."""
        if not self._built or self._built[-1][0] != os.getpid():
            # The parent's is kept: to finalize it here would wait for a loop that this process does not run.
            self._built.append((os.getpid(), new_file_system()))
        return self._built[-1][1]


def new_file_system() -> s3fs.S3FileSystem:
    """A file system that caches nothing, and is shared with nobody."""
    region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
    return s3fs.S3FileSystem(
        client_kwargs={"region_name": region} if region else {},
        config_kwargs=_CONFIG,
        use_listings_cache=False,
        skip_instance_cache=True,
    )


async def answer_of(fs: s3fs.S3FileSystem, method: str, arguments: dict[str, object]) -> dict[str, Any]:
    """Sends one request and reads its whole answer."""
    client = await fs.set_session()
    answer: dict[str, Any] = await getattr(client, method)(**arguments)
    if "Body" in answer:
        async with answer["Body"] as body:
            answer["Body"] = await body.read()
    return answer


def status_of(error: ClientError) -> int:
    """The HTTP status that an error stands for."""
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status


def code_of(error: ClientError) -> str:
    """The engine's own word for what is wrong; the status, as a string, where the answer had no body."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def unavailable(failure: Exception) -> StorageUnavailable:
    """A failure as a sentence. Nothing that the engine or the settings say is quoted."""
    if isinstance(failure, ClientError):
        default = f"The storage answered {status_of(failure)}."
        sentence = _SENTENCES.get(code_of(failure)) or _SENTENCES.get(str(status_of(failure)), default)
    elif isinstance(failure, NoCredentialsError | PartialCredentialsError):
        sentence = "The storage needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    elif isinstance(failure, _NO_CONNECTION):
        sentence = "The storage does not answer."
    else:
        sentence = "The settings of the storage are not right: look at the AWS variables."
    return StorageUnavailable(sentence, retry_after=5)
