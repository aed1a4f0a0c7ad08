"""Who sends a request, and what they may do.

npm *scopes* are strings with ``@``; what a token may do is a `Grant`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from nproxy_mw.errors import Forbidden, Unauthenticated
from nproxy_mw.restrictions import UNRESTRICTED, Restrictions, parse_address


class Grant(StrEnum):
    """What an API token may do. Neither implies the other."""

    PROXY = "proxy"
    """Install: read internal packages, and upstream packages where reads are not public."""
    PUBLISH = "publish"
    """Publish, unpublish, deprecate and tag internal packages."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request, as its Authorization header names them.

    *token_hash* (SHA-256, hex) names the API token in the audit trail; the token itself goes no further than
    Authenticate. *restrictions* narrow what the grants allow. *upstream_authorization* is a header that is not ours: it
    may go to the upstream with a publish, and nowhere else; it is kept out of ``repr``.
    """

    name: str = ""
    grants: frozenset[Grant] = frozenset()
    token_id: str = ""
    token_hash: str = ""
    expires_at: datetime | None = None
    restrictions: Restrictions = UNRESTRICTED
    upstream_authorization: str | None = field(default=None, repr=False)

    @property
    def is_anonymous(self) -> bool:
        """Returns whether the request came without a token that is known here."""
        return not self.token_hash


ANONYMOUS = Principal()


class Actor(Struct, frozen=True):
    """Who changed something and from where. Every audit event has these fields in addition to its own."""

    token_hash: str = ""
    name: str = ""  # of the token, of the administrator, or "command line"
    request_id: str = ""
    ip: str = ""
    user_agent: str = ""


class Tokens(Protocol):
    """The API tokens of one organization, as Authenticate asks for them. A host may keep tokens of any form."""

    def find(self, secret: str) -> Principal | None:
        """Returns who holds *secret*; None when it is unknown, revoked or expired.

        *secret* is the token of a Bearer header or the password of a Basic one, of this registry or not: what nobody
        holds belongs to the upstream, unless it begins with ``nproxy_``. If the principal has no *token_hash*, it gets
        the SHA-256 of *secret*.
        """
        ...


class Role(StrEnum):
    """What a user may do in their organizations."""

    ADMINISTRATOR = "administrator"
    """Everything. An administrator of every organization is a platform administrator, and creates organizations."""
    READER = "reader"
    """See the packages and the audit trail, and change nothing."""


class User(Struct, frozen=True):
    """A user of the management API and of the dashboard.

    *organizations* are those that the user sees; None means all of them.
    """

    name: str
    organizations: frozenset[str] | None = None
    role: Role = Role.ADMINISTRATOR

    @property
    def is_platform_administrator(self) -> bool:
        """Whether the user may create organizations and change who may sign in."""
        return self.organizations is None and self.role is Role.ADMINISTRATOR

    def sees(self, org: str) -> bool:
        """Returns whether the user may see the organization *org*, should it exist."""
        return self.organizations is None or org in self.organizations

    def manages(self, org: str) -> bool:
        """Returns whether the user may change the organization *org*, should it exist."""
        return self.sees(org) and self.role is Role.ADMINISTRATOR


class Administrators(Protocol):
    """The accounts of a standalone server, as the layers that take passwords or sessions ask for them."""

    def verify(self, name: str, password: str, *, actor: Actor) -> User:
        """Returns the user *name* if *password* is theirs; *actor* is who tries, and from where.

        Raises:
            Unauthenticated: it is not, or there is no such user.
            TooManyRequests: there were too many attempts.
        """
        ...

    def find(self, name: str) -> User | None:
        """Returns the user *name* with the role that they have now, or None."""
        ...

    def anybody_manages(self, org: str) -> bool:
        """Returns whether there is a user who may change the organization *org*."""
        ...


def check_manages(user: User, org: str) -> None:
    """Passes if *user* may change the organization *org*, which creating API tokens for it is.

    Raises:
        Forbidden: the user is a reader, or is of other organizations.
    """
    if not user.manages(org):
        raise Forbidden(
            "This account may not create API tokens of this organization: ask one of its administrators.",
            code="missing-role",
        )


def require(principal: Principal, grant: Grant) -> None:
    """Passes if *principal* holds *grant*.

    Raises:
        Unauthenticated: no API token was given.
        Forbidden: the token lacks the grant.
    """
    if not principal.token_hash:
        raise Unauthenticated(
            f"This needs an API token of this registry with the scope '{grant}': "
            "put //<registry>/:_authToken=nproxy_... into .npmrc."
        )
    if grant not in principal.grants:
        raise Forbidden(
            f"This token lacks the scope '{grant}': use a token that was created with it.",
            code="missing-scope",
        )


def check_package(principal: Principal, package: str) -> None:
    """Passes if the internal package *package* is among those that *principal* is restricted to.

    Raises:
        Forbidden: it is not. The sentence does not say whether there is such a package.
    """
    if not principal.restrictions.covers(package):
        raise Forbidden(
            f"This token is only for {principal.restrictions.packages_in_words()}: use a token for this package.",
            code="package-not-allowed",
        )


def check_address(principal: Principal, ip: str) -> None:
    """Passes if *principal* may be used from the address *ip*.

    Raises:
        Forbidden: it may not. The sentence names the address, and not those that are allowed.
    """
    if not principal.restrictions.admits(ip):
        raise Forbidden(
            f"This token may not be used from {parse_address(ip) or 'an unknown address'}: ask for one that may be.",
            code="address-not-allowed",
        )
