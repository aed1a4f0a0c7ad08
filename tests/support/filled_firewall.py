"""An upstream with versions that the rules hold, warn of and let through, and clients that fetched some of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from nproxy_mw import signing
from nproxy_mw.ledger.recorder import Ledger
from nproxy_mw.signing.keys import P256Signer
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import timestamp
from support.hosting import PlatformFixture
from support.registry import ACTOR

HELD = "/orgs/acme/explain?package=axios&version=1.14.1"
PATHS = (
    *(HELD, "/orgs/acme/explain?package=axios", "/orgs/acme/explain?package=debug&version=4.4.3"),
    *("/orgs/acme/packages?show=upstream", "/orgs/acme/packages?show=upstream&q=nothing"),
    *("/orgs/beta/packages?show=upstream", "/orgs/acme/packages/axios/1.14.0", "/orgs/acme/packages/debug/4.4.1"),
    *("/orgs/acme/packages/axios/1.14.1", "/orgs/acme/packages/axios/-/changes/1.14.1?against=1.14.0"),
    *("/orgs/acme/incident?package=axios", "/orgs/acme/firewall?kind=rule.blocked", "/orgs/acme/firewall/nothing"),
)
"""Pages that need an upstream, and one that is not there."""

INDEX = """'use strict';

const { request } = require('./lib/request');
const defaults = require('./lib/defaults');

module.exports = function create(config) {
  return request.bind(null, { ...defaults, ...config });
};
"""
HIJACKED = INDEX.replace("require('./lib/defaults');", "require('./lib/defaults');\nrequire('plain-crypto-js');")
SETUP = "const { execSync } = require('child_process');\nexecSync(process.env.SHELL + ' -c ' + atob('Y3VybA=='));\n"


def fill_upstream(upstream: RecordingUpstream) -> None:
    """Publishes axios, whose newest version is of this hour and not like the others; debug and esbuild."""
    now, data = datetime.now(UTC), {"form-data": "^4.0.5", "proxy-from-env": "^2.1.0"}
    files = {"index.js": INDEX, "lib/request.js": "exports.request = () => {};\n", "README.md": "# axios\n"}
    for version in ("1.12.0", "1.13.0", "1.14.0"):
        upstream.publish("axios", version, {"dependencies": data, "license": "MIT"}, files)
    changed = {"dependencies": {**data, "plain-crypto-js": "^4.2.1"}, "scripts": {"postinstall": "node setup.js"}}
    upstream.publish(
        "axios", "1.14.1", {**changed, "license": "MIT"}, {**files, "index.js": HIJACKED, "setup.js": SETUP}
    )
    upstream.publish("debug", "4.4.1")
    upstream.publish("debug", "4.4.3")
    for version in ("0.25.0", "0.25.1"):
        upstream.publish("esbuild", version, {"scripts": {"postinstall": "node install.js"}})
    sign(upstream)
    ages = {"axios": (900, 200, 60, 0.1), "debug": (300, 0.5), "esbuild": (90, 30)}
    for name, days in ages.items():
        versions = list(upstream.state.packuments[name]["versions"])
        times = {version: timestamp(now - timedelta(days=age)) for version, age in zip(versions, days, strict=True)}
        upstream.state.packuments[name]["time"] = {"created": times[versions[0]], **times}


def sign(upstream: RecordingUpstream) -> None:
    """Signs two versions with the key that the upstream lists, and one with a key that it does not list."""
    signer, other = P256Signer(), P256Signer()
    upstream.state.keys = [signing.public_record(signing.P256, signer.public)]
    for name, version, by in (("axios", "1.14.0", signer), ("axios", "1.14.1", signer), ("debug", "4.4.1", other)):
        dist = upstream.state.packuments[name]["versions"][version]["dist"]
        dist["signatures"] = signing.signatures(name, version, dist["integrity"], [by])["signatures"]


def fill_firewall(tenants: PlatformFixture) -> None:
    """Fetches with two tokens, asks for what is held, and makes an exception and a month of installs."""
    organization = tenants.platform.organization("acme")
    end = timestamp(datetime.now(UTC) + timedelta(days=30))
    lenient = {"package": "debug", "versions": ["4.4.3"], "reason": "Reviewed: only the README changed."}
    organization.settings.add_exception({**lenient, "expiresAt": end}, actor=ACTOR)
    for paths in (("axios/-/axios-1.14.0.tgz", "esbuild/-/esbuild-0.25.1.tgz"), ("axios/-/axios-1.13.0.tgz",)):
        client = tenants.client("acme", "proxy")
        for path in (*paths, "axios/-/axios-1.14.1.tgz", "debug", "esbuild"):
            client.get(f"/acme/{path}")
    tokens = [one.id for one in organization.tokens.list()[:2]]
    for ago in range(1, 29):
        moment = (datetime.now(UTC) - timedelta(days=ago)).timestamp()
        ledger = Ledger(organization.ledger.storage, now=lambda moment=moment: moment, interval=None)
        for number in range(ago % 7 * 9 + 3):
            package = ("axios", "debug", "esbuild")[number % 3]
            version = {"axios": "1.13.0", "debug": "4.4.1", "esbuild": "0.25.0"}[package]
            ledger.record(package, version, tokens[number % 2], f"10.0.{number % 3}.7")
        ledger.flush()
    organization.ledger.flush()
    firewall = tenants.platform.firewall("acme")
    if firewall is not None:
        firewall.log.flush()
