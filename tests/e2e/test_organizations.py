"""Two organizations on one server: publish, install and unpublish by npm, told apart by path and by host."""

from __future__ import annotations

import pytest
from support.server import NPM, PASSWORD, Npm, call, program, serving

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(NPM is None, reason="npm is not installed")]
DOMAIN = "registry.example"


@pytest.fixture(params=["path", f"host:{DOMAIN}"], ids=["by path", "by host"])
def platform(request, tmp_path):
    """A server for organizations that the management API makes; npm for each, with its token."""
    storage = tmp_path / "store"
    program(storage, "admin", "create", "ann", piped=PASSWORD)
    with serving(storage, "--orgs", request.param) as url:
        yield Platform(tmp_path, url, by_host=request.param != "path")


class Platform:
    """Calls of the management API at *url*, and npm for its organizations."""

    def __init__(self, folder, url, *, by_host):
        self.folder, self.url, self.by_host = folder, url, by_host
        # By host, npm asks through a proxy, which is the server itself: so no name needs an address.
        self.host = DOMAIN if by_host else url.partition("//")[2]
        sign_in = {"username": "ann", "password": PASSWORD}
        self.session = self.api("POST", "/sessions", sign_in)[1]["session"]

    def api(self, method, path, body=None):
        session = "" if path == "/sessions" else self.session
        return call(f"{self.url}/api/v1{path}", method, body, session=session, host=self.host)

    def organization(self, org, scope):
        assert self.api("POST", "/orgs", {"id": org})[0] == 201
        assert self.api("PUT", f"/orgs/{org}/settings", {"internalScopes": [scope]})[0] == 200

    def npm(self, org, name, *scopes):
        token = self.api("POST", f"/orgs/{org}/tokens", {"name": name, "scopes": list(scopes)})[1]["token"]
        if self.by_host:
            return Npm(self.folder / name, f"http://{org}.{DOMAIN}", token, proxy=self.url, noproxy="")
        return Npm(self.folder / name, f"{self.url}/{org}", token)


def test_two_organizations_live_side_by_side(platform):
    """Each publishes, installs and unpublishes a package of one name; neither meets the other's."""
    for org in ("acme", "beta"):
        platform.organization(org, "@lib")
    publishers = {org: platform.npm(org, f"{org}-ci", "proxy", "publish") for org in ("acme", "beta")}
    for org, npm in publishers.items():
        npm.ok("publish", cwd=npm.package("@lib/utils", description=f"of {org}"))
    for org in ("acme", "beta"):
        reader = platform.npm(org, f"{org}-reader", "proxy")
        assert reader.ok("view", "@lib/utils", "description").strip() == f"of {org}"
        project = reader.package("project")
        reader.ok("install", "@lib/utils", cwd=project)
        assert publishers[org].registry in (project / "node_modules/@lib/utils/index.js").read_text()
        lock = (project / "package-lock.json").read_text()
        assert f"{reader.registry}/@lib/utils/-/utils-1.0.0.tgz" in lock
        reader.ok("ci", cwd=project)
        assert reader.run("publish", cwd=reader.package("@lib/other")).returncode != 0
    publishers["acme"].ok("unpublish", "@lib/utils", "--force")
    assert "E404" in publishers["acme"].run("view", "@lib/utils").stderr
    assert publishers["beta"].ok("view", "@lib/utils", "description").strip() == "of beta"
    events = platform.api("GET", "/orgs/acme/audit?package=%40lib%2Futils")[1]["events"]
    assert {event["event"] for event in events} == {"package.published", "package.signed", "package.unpublished"}


def test_another_organizations_token_opens_nothing(platform):
    """npm with beta's token at acme's registry is told that the token is none."""
    for org in ("acme", "beta"):
        platform.organization(org, "@lib")
    npm, stranger = (
        platform.npm("acme", "acme-ci", "proxy", "publish"),
        platform.npm("beta", "beta-ci", "proxy", "publish"),
    )
    npm.ok("publish", cwd=npm.package("@lib/utils"))
    intruder = Npm(
        platform.folder / "intruder",
        npm.registry,
        stranger.token(),
        **({"proxy": platform.url, "noproxy": ""} if platform.by_host else {}),
    )
    for arguments in (
        ("view", "@lib/utils"),
        ("whoami",),
        ("unpublish", "@lib/utils", "--force"),
        ("install", "@lib/utils"),
    ):
        done = intruder.run(*arguments)
        assert done.returncode != 0
        assert "E401" in done.stderr
    assert npm.ok("view", "@lib/utils", "version").strip() == "1.0.0"
