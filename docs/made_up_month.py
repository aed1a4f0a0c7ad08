"""A month of an organization that does not exist, for the pictures of the documentation: see ``pictures.py``.

Importing this module turns the clock of the library: it goes on a little whenever it is asked, from a moment that is
always the same. So what is stored and shown is as old on every day on which pictures are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from nproxy_mw import times
from nproxy_mw.access import Actor
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.hosting import Platform
from nproxy_mw.ledger.recorder import Ledger
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.publication import parse_publication
from nproxy_mw.orgs.trail_reports import verified
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import timestamp

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


class Clock:
    """A clock that goes on a little whenever it is asked, and is set by hand."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Returns the moment."""
        self.now += timedelta(milliseconds=40)
        return self.now


CLOCK = Clock(NOW)
# What `times` asks for the moment, which nothing else does.
times.datetime = SimpleNamespace(now=lambda zone: CLOCK(), fromisoformat=datetime.fromisoformat)

PASSWORD = "a password for the pictures"  # noqa: S105
ROBIN = Actor(name="robin", ip="10.20.0.14", user_agent="Mozilla/5.0 Firefox/145.0")
RELEASES = Actor(name="release pipeline", token_hash="5e" * 32, ip="10.20.7.3", user_agent="npm/11.6.2 node/v24.11.1")

README = """# @acme/http-client

The client that every service of the shop uses: time-outs, retries and tracing are set as the
[handbook](https://handbook.acme.example/http) says.

```js
import { get } from '@acme/http-client';

const order = await get(`/orders/${id}`, { timeout: 2_000 });
```

| option | default | |
|---|---|---|
| `timeout` | 5,000 ms | of one attempt |
| `retries` | 2 | of what is safe to repeat |

> Needs Node 22 or newer.
"""
INTERNAL = {
    "@acme/http-client": ("The client that every service uses", 9),
    "@acme/checkout": ("Cart, payment and receipt", 14),
    "@acme/design-tokens": ("Colors, type and spacing", 6),
    "@acme/eslint-config": ("Rules for all repositories", 4),
    "@acme/feature-flags": ("Flags, and who sees what", 5),
    "@acme/icons": ("Icons as React components", 8),
    "@acme/logger": ("Lines of JSON with a request id", 3),
    "@acme/money": ("Amounts and currencies", 2),
    "@acme/search-box": ("Search with suggestions", 5),
    "@acme-labs/recommend": ("What goes well with it: an experiment", 3),
}
CODE = """'use strict';

const { request } = require('./lib/request');
const defaults = require('./lib/defaults');

module.exports = function create(config) {
  return request.bind(null, { ...defaults, ...config });
};
"""
HIJACKED = CODE.replace("('./lib/defaults');", "('./lib/defaults');\nrequire('tiny-crypto-shim');")
SETUP = "const { execSync } = require('child_process');\nexecSync(process.env.SHELL + ' -c ' + atob('Y3VybA=='));\n"


def fill_upstream(upstream: RecordingUpstream) -> None:
    """Publishes packages of the upstream: one of them was hijacked four hours ago."""
    needs = {"form-data-lite": "^4.0.5", "proxy-words": "^2.1.0"}
    files = {"index.js": CODE, "lib/request.js": "exports.request = () => {};\n", "README.md": "# quick-http\n"}
    for version in ("1.12.0", "1.13.0", "1.14.0"):
        upstream.publish("quick-http", version, {"dependencies": needs, "license": "MIT"}, files)
    bad = {"dependencies": {**needs, "tiny-crypto-shim": "^4.2.1"}, "scripts": {"postinstall": "node setup.js"}}
    changed = {**files, "index.js": HIJACKED, "setup.js": SETUP}
    upstream.publish("quick-http", "1.14.1", {**bad, "license": "MIT"}, changed)
    others = {"tiny-log": ("4.4.1", "4.4.3"), "bundle-kit": ("0.25.0", "0.25.1"), "date-words": ("3.1.0",)}
    for name, versions in others.items():
        scripts = {"scripts": {"postinstall": "node install.js"}} if name == "bundle-kit" else {}
        for version in versions:
            upstream.publish(name, version, {"license": "MIT", **scripts}, {"index.js": f"// {name} {version}\n"})
    ages = {"quick-http": (900, 200, 60, 0.17), "tiny-log": (300, 0.9), "bundle-kit": (90, 30), "date-words": (400,)}
    for name, days in ages.items():
        packument = upstream.state.packuments[name]
        moments = {v: timestamp(NOW - timedelta(days=d)) for v, d in zip(packument["versions"], days, strict=True)}
        packument["time"] = {"created": min(moments.values()), **moments}


def fill(site: Platform, people: AdministratorStore) -> None:
    """Fills the organization acme with what a month brings, day by day."""
    directory = site.organizations
    CLOCK.now = NOW - timedelta(days=40)
    people.create("robin", PASSWORD, actor=ROBIN)
    people.create("auditor", PASSWORD, role="reader", organizations=["acme"], actor=ROBIN)
    people.create("web-lead", PASSWORD, organizations=["acme"], actor=ROBIN)
    directory.create("acme", "Acme", actor=ROBIN)
    directory.create("acme-labs", "Acme Labs", actor=ROBIN)
    acme = site.organization("acme")
    acme.settings.change({"internalScopes": ["@acme", "@acme-labs"]}, actor=ROBIN)
    made = (("release pipeline", ["publish"], 49), ("checkout ci", ["proxy"], 130), ("laptops", ["proxy"], None))
    for name, grants, days in made:
        end = CLOCK.now + timedelta(days=days) if days else None
        acme.tokens.create(name, grants, expires_at=end, actor=ROBIN)
    _publish_month(acme)
    _install_month(acme)
    CLOCK.now = NOW - timedelta(minutes=50)
    for package, reason in (
        ("tiny-log", "The shop needs the fix for long lines."),
        ("date-words", "Wanted by the blog."),
    ):
        acme.exception_requests.ask({"package": package, "reason": reason}, actor=Actor(name="checkout ci"))
    until = timestamp(NOW + timedelta(days=30))
    reviewed = {"package": "tiny-log", "versions": ["4.4.3"], "reason": "Reviewed: only the README changed."}
    acme.settings.add_exception({**reviewed, "expiresAt": until}, actor=ROBIN)


def _publish_month(acme: Any) -> None:
    number = 0
    for name, (description, versions) in INTERNAL.items():
        for minor in range(versions):
            number += 1
            CLOCK.now = NOW - timedelta(days=29 - (number * 7 + minor * 3) % 29, hours=number % 6)
            needs = {"@acme/logger": "^1.0.0"} if minor and name != "@acme/logger" else {}
            document = publish_document(
                name,
                f"1.{minor}.0",
                package_json={"description": description, "license": "UNLICENSED", "dependencies": needs},
                files={"index.js": f"exports.version = '1.{minor}.0';\n", "README.md": README},
                manifest={"readme": README if name == "@acme/http-client" else f"# {name}\n\n{description}.\n"},
            )
            acme.packages.publish(parse_publication(parse_name(name), document), RELEASES)
    CLOCK.now = NOW - timedelta(hours=20)
    client = parse_name("@acme/http-client")
    acme.packages.tag(client, "next", "1.8.0", RELEASES)
    revision = acme.packages.read(client, for_write=True)[0]["_rev"]
    acme.packages.deprecate(client, {"1.2.0": "time-outs are not kept: use 1.3.0"}, revision, ROBIN)


def _install_month(acme: Any) -> None:
    tokens = [token.id for token in acme.tokens.list()]
    wanted = (("quick-http", "1.13.0"), ("tiny-log", "4.4.1"), ("bundle-kit", "0.25.0"), ("@acme/checkout", "1.5.0"))
    for ago in range(29, 0, -1):
        moment = (NOW - timedelta(days=ago, hours=1)).timestamp()
        ledger = Ledger(acme.ledger.storage, now=lambda moment=moment: moment, interval=None)
        for number in range((37 * ago) % 90 + (8 if ago % 7 in (2, 3) else 60)):
            ledger.record(*wanted[number % 4], tokens[number % 2], f"10.20.{number % 5}.{ago + 3}")
        ledger.flush()
    ledger = Ledger(acme.ledger.storage, now=lambda: (NOW - timedelta(hours=3)).timestamp(), interval=None)
    for number in range(9):
        ledger.record("quick-http", "1.14.1", tokens[number % 2], f"10.20.{number % 3}.17")
    ledger.flush()


def decide(site: Platform, ask: Callable[[str], object]) -> None:
    """Lets clients ask for packages of the upstream, so that the rules decide; then verifies the trail."""
    CLOCK.now = NOW - timedelta(minutes=30)
    for name in ("quick-http", "tiny-log", "bundle-kit", "date-words"):
        ask(f"/acme/{name}")
    firewall = site.firewall("acme")
    if firewall is not None:
        firewall.log.flush()
    acme = site.organization("acme")
    acme.ledger.flush()
    verified(acme.trail, acme.keys, actor=ROBIN)
    CLOCK.now = NOW
