"""Changes of a registry, each with what there must be before it and what can be seen of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nproxy_mw.access import Grant
from nproxy_mw.errors import NotFound
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.port import Storage
from support.publications import ACTOR, publication, publish
from support.together import together

BASE, NEW = parse_name("@acme/base"), parse_name("@acme/new")
TWO = publication("@acme/base", "2.0.0")  # built once: a command that is repeated brings the same bytes
THREE = publication("@acme/base", "3.0.0")
FIRST = publication("@acme/new", "1.0.0")


@dataclass(frozen=True)
class Command:
    """A change. *seen* answers what readers see of it: something that differs before and after."""

    act: Callable[[Organization], object]
    seen: Callable[[Organization], object]
    needs_base: bool = True


def opened(storage: Storage) -> Organization:
    """The organization on *storage* as a process would open it that has just started."""
    return open_organization(storage, ThreadLocks(), "acme")


def furnish(storage: Storage) -> None:
    """What there is before a command."""
    organization = opened(storage)
    organization.settings.ensure_scopes(["@acme"], actor=ACTOR)
    organization.tokens.create("ci", [Grant.PUBLISH], actor=ACTOR)
    for version in ("1.0.0", "1.1.0"):
        publish(organization, "@acme/base", version)
    organization.packages.tag(BASE, "latest-1", "1.0.0", ACTOR)


def revision(organization: Organization) -> str:
    """npm's ``_rev`` of the package, as a client reads it before it changes something."""
    return organization.packages.record(BASE)[0].revision


def versions(organization: Organization, name=BASE) -> frozenset[str]:
    """The versions that can be read."""
    try:
        return frozenset(organization.packages.read(name)[0]["versions"])
    except NotFound:
        return frozenset()


def tags(organization: Organization) -> object:
    return dict(organization.packages.read(BASE)[0]["dist-tags"])


def messages(organization: Organization) -> object:
    manifests = organization.packages.read(BASE)[0]["versions"]
    return {version: manifest.get("deprecated") for version, manifest in manifests.items()}


def revoke(organization: Organization) -> None:
    ids = [token.id for token in organization.tokens.list(revoked=True) if token.name == "ci"]
    organization.tokens.revoke(ids[0], actor=ACTOR)


def publish_together(organization: Organization) -> None:
    """Two publishers of one package whose versions are stored in one swap."""
    packages = organization.packages
    told = together(packages, *(partial(packages.publish, one, ACTOR) for one in (TWO, THREE)))
    for error in filter(None, told):
        raise error


def has_token(name: str) -> Callable[[Organization], object]:
    return lambda it: any(token.name == name for token in it.tokens.list())


COMMANDS = {
    "first publish of all": Command(
        lambda it: it.packages.publish(FIRST, ACTOR), lambda it: versions(it, NEW), needs_base=False
    ),
    "publish of a new package": Command(lambda it: it.packages.publish(FIRST, ACTOR), lambda it: versions(it, NEW)),
    "publish of a new version": Command(lambda it: it.packages.publish(TWO, ACTOR), versions),
    "two publishes in one swap": Command(publish_together, versions),
    "unpublish": Command(lambda it: it.packages.unpublish(BASE, revision(it), ACTOR), versions),
    "unpublish of one version": Command(
        lambda it: it.packages.unpublish_versions(BASE, frozenset({"1.0.0"}) & versions(it), revision(it), ACTOR),
        versions,
    ),
    "tag change": Command(lambda it: it.packages.tag(BASE, "next", "1.0.0", ACTOR), tags),
    "tag removal": Command(lambda it: it.packages.untag(BASE, "latest-1", ACTOR), tags),
    "deprecation": Command(lambda it: it.packages.deprecate(BASE, {"1.0.0": "old"}, revision(it), ACTOR), messages),
    "token creation": Command(lambda it: it.tokens.create("laptop", [Grant.PROXY], actor=ACTOR), has_token("laptop")),
    "token revocation": Command(revoke, has_token("ci")),
    "settings change": Command(
        lambda it: it.settings.change({"internalScopes": ["@acme", "@more"]}, actor=ACTOR),
        lambda it: it.settings.get().internal_scopes,
    ),
}
