"""An S3 engine for the storage tests: SeaweedFS, or the one that NPROXY_TEST_S3_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

_GIVEN = "NPROXY_TEST_AWS_"


@pytest.fixture(scope="module")
def s3_url(request: pytest.FixtureRequest) -> Iterator[str]:
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
    yield request.getfixturevalue("s3_url")  # that of all tests
