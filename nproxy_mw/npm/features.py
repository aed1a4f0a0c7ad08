"""What npm can ask a registry to keep, and this one does not: each with what to do instead.

A client that gets 404 for these says that the package is not there, or nothing at all. So each gets a 405
with a sentence that names it: npm, pnpm and yarn print the sentence and do not try again.
"""

from __future__ import annotations

import re

from msgspec import Struct

from nproxy_mw.npm.routes import Kind, Route


class Feature(Struct, frozen=True):
    """Something that is not kept here: *name*, in the plural, and *instead*, what to do for an internal package."""

    name: str
    instead: str

    def refusal(self, *, is_upstream: bool) -> str:
        """Returns the sentence for a package of the upstream registry, or for everything else."""
        if is_upstream:
            return f"This registry does not pass on {self.name}: ask the upstream registry itself, with --registry."
        return f"This registry keeps no {self.name}: {self.instead}"


_RIGHTS = "an administrator creates and revokes the tokens that may read and publish."
_OWNERS = Feature("owners of packages", f"every token with the scope 'publish' may publish; {_RIGHTS}")
_ACCESS = Feature(
    "access settings of packages",
    "an internal package is read with a token that has the scope 'proxy', and is never public.",
)
_MEMBERS = Feature("teams and members", f"rights belong to API tokens; {_RIGHTS}")
_STARS = Feature("stars", "star a package where its source is hosted.")
_TRUST = Feature("trusted publishers", "publish with an API token that has the scope 'publish'.")
_STAGES = Feature(
    "staged versions", "publish under a dist-tag such as 'next', and point 'latest' at the version when it is approved."
)
_HOOKS = Feature("hooks", "read the audit trail, which the management API and 'nproxy-mw audit list' show.")
_PROFILES = Feature("profiles", "npm whoami names the token, and an administrator changes passwords.")
_LISTS = Feature("lists of packages by user or team", "npm search lists the packages that a token may read.")

_BY_ASPECT = {
    "access": _ACCESS,
    "collaborators": _OWNERS,
    "owners": _OWNERS,
    "trust": _TRUST,
    "visibility": _ACCESS,
}
_BY_KIND = {Kind.STAR: _STARS, Kind.STAGE: _STAGES, Kind.PROFILE: _PROFILES, Kind.USER: _OWNERS}
# Paths that name no package. npm asks for the packages of an organization first, and of a user when that is 404.
_BY_PATH = (
    (re.compile(r"-/(?:org|team|user)/[^/]+(?:/[^/]+)?/package"), _LISTS),
    (re.compile(r"-/-/package"), _LISTS),
    (re.compile(r"-/(?:org|team)(?:/.*)?"), _MEMBERS),
    (re.compile(r"-/npm/v1/hooks(?:/.*)?"), _HOOKS),
    (re.compile(r"-/user/v1/star|-/_view/starredByUser"), _STARS),
    (re.compile(r"-/stage(?:/.*)?"), _STAGES),
)


def feature_of(route: Route) -> Feature | None:
    """Returns the feature that *route* is about, or None when it is about none of these."""
    if route.kind is Kind.PACKAGE_ASPECT:
        return _BY_ASPECT.get(route.rest)
    if route.kind is Kind.UNKNOWN and route.name is None:
        return next((feature for pattern, feature in _BY_PATH if pattern.fullmatch(route.rest)), None)
    return _BY_KIND.get(route.kind)
