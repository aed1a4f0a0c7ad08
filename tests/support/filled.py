"""A platform with something on every page of its dashboard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from nproxy_mw.access import Actor
from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.names import parse_name
from nproxy_mw.times import utc_now
from support.hosting import PASSWORD, PlatformFixture
from support.publications import publish
from support.registry import ACTOR

README = """# utils

Helpers that **every** service needs. See the [handbook](https://handbook.example/utils).

## Use

```js
import { chunk } from '@acme/utils';
```

| function | does |
|---|---|
| `chunk` | cuts a list into pieces |

> Needs Node 20.
"""

PATHS = (
    *("/orgs", "/people", "/people/eve", "/account", "/orgs/acme/overview", "/orgs/acme/start"),
    "/orgs/acme/packages",
    *("/orgs/acme/packages/@acme/utils", "/orgs/acme/packages/@acme/utils/1.1.0", "/orgs/acme/audit"),
    *("/orgs/acme/packages/@acme/utils/-/changes/1.1.0", "/orgs/acme/packages/@acme/utils/-/unpublish"),
    *("/orgs/acme/packages/@acme/log", "/orgs/acme/packages/@acme/log/1.0.0"),
    *("/orgs/acme/keys", "/orgs/acme/tokens", "/orgs/acme/tokens/revoke-all", "/orgs/acme/rules"),
    *("/orgs/acme/firewall", "/orgs/acme/explain", "/orgs/acme/incident"),
    *("/orgs/acme/exceptions", "/orgs/acme/settings", "/orgs/beta/overview", "/orgs/beta/packages", "/nothing"),
)
"""Every page that can be asked for, and one that is not there."""


def fill(tenants: PlatformFixture) -> PlatformFixture:
    """Fills the organization acme, and leaves beta empty."""
    organization = tenants.platform.organization("acme")
    tenants.scopes("acme", "@acme", "@acme-labs")
    for version, more in (("1.0.0", {}), ("1.1.0", {"dependencies": {"@acme/log": "^1.0.0"}})):
        package: dict[str, Any] = {"description": "Helpers", "license": "MIT", "homepage": "https://handbook.example"}
        publish(
            organization,
            "@acme/utils",
            version,
            package_json={**package, **more, "scripts": {"postinstall": "node setup.js"}},
            files={"index.js": f"export const version = '{version}';\n", "setup.js": "\n", "README.md": README},
            manifest={"readme": README},
        )
    publish(organization, "@acme/log", "1.0.0", package_json={"dependencies": {"@acme/utils": "^1.0.0"}})
    name = parse_name("@acme/utils")
    organization.packages.tag(name, "next", "1.1.0", ACTOR)
    revision = organization.packages.read(name, for_write=True)[0]["_rev"]
    organization.packages.deprecate(name, {"1.0.0": "chunk() loses the last piece"}, revision, ACTOR)
    for token, days in (("ci", 90), ("staging", 7), ("ann's laptop", None)):
        end = utc_now() + timedelta(days=days) if days else None
        organization.tokens.create(token, ["proxy"], expires_at=end, actor=ACTOR)
    for package in ("left-pad", "right-pad"):
        organization.exception_requests.ask({"package": package, "reason": "The shop needs it."}, actor=ACTOR)
    later = {"expiresAt": "2099-01-01T00:00:00Z"}
    organization.exception_requests.approve(organization.exception_requests.list()[0].id, later, actor=ACTOR)
    tenants.administrators.create("eve", PASSWORD, role="reader", organizations=["acme"], actor=ACTOR)
    return tenants


def fill_with(tenants: PlatformFixture, payload: str, number: int = 0) -> str:
    """Puts *payload* wherever a package or a client can put text, as far as it is let in. Returns the package."""
    organization, name = tenants.platform.organization("acme"), f"@acme/hostile-{number}"
    tenants.scopes("acme", "@acme")
    for version in ("1.0.0", "1.0.1"):
        _publish(organization, name, version, payload)
    packages, parsed = organization.packages, parse_name(name)
    revision = packages.read(parsed, for_write=True)[0]["_rev"]
    packages.deprecate(parsed, {"1.0.0": payload}, revision, ACTOR)
    actor = Actor(name=payload, ip=payload, user_agent=payload, request_id=payload)
    for attempt in (
        lambda: organization.tokens.create(payload[:100], ["proxy"], actor=actor),
        lambda: packages.tag(parsed, payload, "1.0.0", actor),
        lambda: organization.exception_requests.ask({"package": "x", "reason": payload}, actor=actor),
        lambda: organization.settings.add_exception(
            {"package": "x", "reason": payload, "expiresAt": "2099-01-01T00:00:00Z"}, actor=actor
        ),
    ):
        try:
            attempt()
        except BadRequest:
            continue  # it is not let in at all
    return name


def _publish(organization: Any, name: str, version: str, payload: str) -> None:
    described = {
        "description": payload,
        "keywords": [payload],
        "author": {"name": payload, "url": payload},
        "homepage": payload,
        "bugs": {"url": payload},
        "repository": {"type": "git", "url": payload},
        "license": payload,
        "scripts": {payload: payload} if version == "1.0.1" else {},
        "engines": {payload: payload},
    }
    publish(
        organization,
        name,
        version,
        package_json=described,
        files={"index.js": f"{version} {payload}\n", **_file(payload, version)},
        manifest={"readme": f"# {payload}\n\n{payload}\n"},
    )


def _file(payload: str, version: str) -> dict[str, str]:
    """A file with the payload as its name, as far as archives allow it."""
    safe = "".join(character for character in payload if character.isprintable() and character not in "/\\")
    return {f"{safe[:80].strip(' .')}.txt": version} if safe.strip(" .") else {}
