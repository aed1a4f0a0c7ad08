"""How many requests a publish sends to an S3 engine: each is a round trip."""

from __future__ import annotations

import uuid

import orjson
import pytest
from support.packages import SMALL
from support.registry import ACTOR
from werkzeug.test import Client

from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.packages import records
from nproxy_mw.stack import registry
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.s3 import S3Storage
from nproxy_mw.storage.s3_requests import S3Requests
from nproxy_mw.testing.documents import publish_document

pytestmark = pytest.mark.e2e

TOGETHER = 6
"""Of token, settings, keys and record, one question each; then the tarball and the record. The index comes on top."""


class Counted(S3Requests):
    """Notes the key of each request, repeated ones too."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def send_once(self, method, arguments):
        self.sent.append(f"{method} {arguments.get('Key', '')}")
        return super().send_once(method, arguments)


class Process:
    """A process that serves the organization on a bucket, and asks about everything it knows each time."""

    def __init__(self, url: str, prefix: str, token: str = "") -> None:
        self.requests = Counted()
        storage = S3Storage(url.removeprefix("s3://"), prefix, requests=self.requests)
        self.organization: Organization = open_organization(FreshnessCache(storage, 0.0), ThreadLocks())
        self.token = token or self._begin()
        self.client = Client(registry(self.organization))

    def _begin(self) -> str:
        self.organization.settings.ensure_scopes(["@acme"], actor=ACTOR)
        return self.organization.tokens.create("ann", ["proxy", "publish"], actor=ACTOR)[0]

    def publish(self, version: str, name: str = "@acme/utils") -> list[str]:
        """Publishes as npm does, and answers which requests that sent, without those to the index of events."""
        self.requests.sent.clear()
        response = self.client.put(
            f"/{name}",
            data=orjson.dumps(publish_document(name, version)),
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert response.status_code == 201, response.text
        return [sent for sent in self.requests.sent if "/audit/" not in sent]


def test_publish_asks_once_about_each_thing(s3_url: str) -> None:
    """Even where nothing may be remembered without asking: seven requests with the one to the index of events."""
    process = Process(s3_url, uuid.uuid4().hex)
    process.publish("1.0.0", "@acme/other")  # makes the keys, and notes that the token is used
    for name, version in (("@acme/utils", "1.0.0"), ("@acme/utils", "1.0.1"), ("@acme/utils", "1.0.2")):
        assert len(process.publish(version, name)) <= TOGETHER


def test_process_that_has_just_started_asks_no_more(s3_url: str) -> None:
    """The package is new to it; nothing is read twice."""
    prefix = uuid.uuid4().hex
    first = Process(s3_url, prefix)
    first.publish("1.0.0")
    second = Process(s3_url, prefix, first.token)
    second.publish("1.0.0", "@acme/other")
    sent = second.publish("1.0.1")
    assert len(sent) <= TOGETHER
    assert len(set(sent)) == len(sent)


def test_publish_that_writes_a_part_sends_three_more_at_most(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part, another one where that is full, and the removal of the part that was replaced."""
    monkeypatch.setattr(records, "BOUNDS", SMALL)
    process = Process(s3_url, uuid.uuid4().hex)
    counts = [len(process.publish(f"1.0.{number}")) for number in range(10)]
    assert max(counts[1:]) <= TOGETHER + 3
