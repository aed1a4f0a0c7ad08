"""What npm prints for each refusal: the sentence must reach the person, whatever npm makes of the status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from support.programs import Npm, Served

from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.token_format import make_secret

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SCOPES = "the internal scopes of this organization are @acme"


@pytest.fixture(autouse=True)
def upstream_hears_of_no_change(upstream: RecordingUpstream) -> Iterator[None]:
    """Whatever was refused, no tarball and no token went up."""
    yield
    assert [request.method for request in upstream.requests if request.method not in ("GET", "HEAD")] == []
    assert upstream.asked("nproxy_") == []


@pytest.fixture(scope="module")
def clients(
    npm_program: Sequence[str], served: Served, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Npm]:
    """npm with a token of each kind, after @acme/kept was published twice."""
    made = {
        kind: Npm(npm_program, tmp_path_factory.mktemp(kind), served.url, token)
        for kind, token in {
            "both": served.token(),
            "proxy": served.token("proxy"),
            "publish": served.token("publish"),
            "unknown": make_secret(),
            "some packages": served.token(only=["--packages", "@acme/web-*"]),
            "elsewhere": served.token(only=["--addresses", "192.0.2.0/24"]),
        }.items()
    }
    made["both"].publish("@acme/kept")
    made["both"].publish("@acme/kept", "2.0.0")
    return made.__getitem__


def publishes(name: str, version: str = "1.0.0") -> Callable[[Npm], str]:
    """Publishes a package, which must fail."""
    return lambda npm: npm.fails("publish", cwd=npm.package(name, version))


def publishes_again(npm: Npm) -> str:
    """Publishes a version once more; with --force, npm does not look first."""
    return npm.fails("publish", "--force", cwd=npm.folder / "packages" / "@acme-kept-1.0.0")


def runs(*arguments: str) -> Callable[[Npm], str]:
    """Runs npm, which must fail."""
    return lambda npm: npm.fails(*arguments)


@pytest.mark.parametrize(
    ("kind", "act", "sentence"),
    [
        pytest.param("both", publishes("@acmee/utils"), SCOPES, id="401: a mistyped scope"),
        pytest.param("both", publishes("acme-utils"), SCOPES, id="401: no scope"),
        pytest.param("both", runs("deprecate", "is-odd@3.0.1", "old"), SCOPES, id="401: deprecate a public package"),
        pytest.param("both", runs("dist-tag", "add", "is-odd@3.0.1", "next"), SCOPES, id="401: tag a public package"),
        pytest.param("unknown", runs("view", "is-odd"), "unknown, revoked or expired", id="401: an unknown token"),
        pytest.param("unknown", publishes("@acme/new"), "unknown, revoked or expired", id="401: it publishes"),
        pytest.param("proxy", publishes("@acme/other"), "lacks the scope 'publish'", id="403: may not publish"),
        pytest.param("publish", runs("view", "@acme/kept"), "lacks the scope 'proxy'", id="403: may not read"),
        pytest.param("some packages", runs("view", "@acme/kept"), "only for @acme/web-*", id="403: another package"),
        pytest.param("some packages", publishes("@acme/api"), "only for @acme/web-*", id="403: publishes another"),
        pytest.param("elsewhere", runs("view", "is-odd"), "not be used from 127.0.0.1", id="403: another address"),
        pytest.param("both", runs("unpublish", "@acme/kept@1.0.0"), "deprecate the version", id="405: one version"),
        pytest.param("both", runs("owner", "add", "bob", "@acme/kept"), "keeps no owners", id="405: owner"),
        pytest.param("both", runs("access", "set", "status=public", "@acme/kept"), "keeps no access", id="405: access"),
        pytest.param("both", runs("access", "list", "packages", "ann"), "npm search lists", id="405: list packages"),
        pytest.param("both", runs("team", "ls", "@acme:devs"), "keeps no teams", id="405: team"),
        pytest.param("both", runs("org", "ls", "acme"), "keeps no teams", id="405: org"),
        pytest.param("both", runs("profile", "get"), "keeps no profiles", id="405: profile"),
        pytest.param("both", runs("star", "@acme/kept"), "stars", id="405: star"),
        pytest.param("both", runs("stars", "ann"), "keeps no stars", id="405: stars"),
        pytest.param("both", publishes_again, "previously published version", id="409: published twice"),
        pytest.param("both", runs("dist-tag", "add", "@acme/kept@1.0.0", "a/b"), "has no slash", id="400: tag"),
    ],
)
def test_npm_prints_the_sentence(
    clients: Callable[[str], Npm], kind: str, act: Callable[[Npm], str], sentence: str
) -> None:
    """In the error, or as a notice next to npm's own words."""
    assert sentence in act(clients(kind))
