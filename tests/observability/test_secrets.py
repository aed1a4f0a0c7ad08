"""With every logger at its lowest level, no secret is logged: not by us, and not by the libraries below us."""

from __future__ import annotations

import itertools
import logging

import pytest
from support.client import Client, validated
from support.hosting import PASSWORD, PlatformFixture

from nproxy_mw.hosting import Platform
from nproxy_mw.middleware.management import SignedIn
from nproxy_mw.middleware.tenants import FixedOrg
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.testing.upstream import RecordingUpstream

NPM_TOKEN, OTP, UPSTREAM_PASSWORD = "npm_" + "a1B2" * 9, "481516", "hush-hush"
PATHS = (
    "/@acme/x", "/is-odd", "/missing", "/-/whoami", "/-/npm/v1/tokens", "/is-odd/-/is-odd-3.0.1.tgz",
    "/is-odd/-/is-odd-9.9.9.tgz", "/-/v1/login", "/-/user/org.couchdb.user:ann", "/api/v1/orgs", "/api/v1/sessions",
)  # fmt: skip


@pytest.fixture(scope="module")
def everything_logged():
    """Every line that a day of requests leaves at DEBUG, and each secret that was in one of them."""
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(logging.Formatter().format(record))

    root, handler = logging.getLogger(), Keep(logging.DEBUG)
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with RecordingUpstream() as upstream:
            upstream.publish("is-odd", "3.0.1")
            secrets = ask(upstream.url.replace("http://", f"http://ann:{UPSTREAM_PASSWORD}@"))
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    return records, secrets


def ask(upstream_url):
    """Sends every kind of secret to every path, with several verbs, and logs what objects look like."""
    tenants = PlatformFixture(resolve=FixedOrg("acme"))
    tenants.scopes("acme", "@acme")
    token, session = tenants.token("acme"), tenants.session()
    served = Platform(
        Organizations(tenants.storage, ThreadLocks()),
        resolve=FixedOrg("acme"),
        upstream=upstream_url,
        users=SignedIn(tenants.administrators, tenants.sessions),
        administrators=tenants.administrators,
    )
    client = Client(validated([], on=served))
    document = {"_id": "is-odd", "name": "ann", "username": "ann", "password": PASSWORD}
    authorizations = (f"Bearer {token}", f"Bearer {token[:-1]}", f"Bearer {session}", f"Bearer {NPM_TOKEN}")
    for authorization, method, path in itertools.product(authorizations, ("GET", "PUT", "POST", "DELETE"), PATHS):
        body = {} if method in ("GET", "DELETE") else {"json": document}
        headers = {"Authorization": authorization, "npm-otp": OTP, "User-Agent": f"x \x1b[31m {token}"}
        client.ask(method, path, query=f"token={token}", **headers, **body)
        client.ask("DELETE", f"/-/user/token/{token}", Authorization=authorization)
    logging.getLogger("tests").debug(
        "%r", (served, vars(served), tenants.platform.organization("acme"), tenants.sessions)
    )
    return {
        "token": token,
        "token less one": token[:-1],
        "session": session,
        "password": PASSWORD,
        "token of npm": NPM_TOKEN,
        "otp": OTP,
        "password of the upstream": UPSTREAM_PASSWORD,
    }


@pytest.mark.parametrize(
    "kind",
    ["token", "token less one", "session", "password", "token of npm", "otp", "password of the upstream"],
)
def test_no_secret_is_logged(everything_logged, kind):
    """Neither ours nor the clients' nor the upstream's."""
    records, secrets = everything_logged
    assert len(records) > 10, "the libraries below log at this level"
    assert [record for record in records if secrets[kind] in record] == []


def test_no_escape_sequence_is_logged(everything_logged):
    """A client's header could move the cursor of whoever reads the log."""
    records, _ = everything_logged
    assert [record for record in records if "\x1b" in record] == []
