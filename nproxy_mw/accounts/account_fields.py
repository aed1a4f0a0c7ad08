"""Which names, passwords, roles and organizations an account can have. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Any

from nproxy_mw.access import Role
from nproxy_mw.errors import BadRequest

SHORTEST, LONGEST = 8, 1024  # characters of a password; NIST SP 800-63B section 5.1.1.2 for the first
MAX_ORGANIZATIONS = 1000
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
_ORG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def check_access(role: object, organizations: Collection[str] | None) -> dict[str, Any]:
    """Returns a role and the organizations that it is for, as they are stored.

    Raises:
        BadRequest: *role* is no role, or one of *organizations* cannot be an organization's id, or there is none.
    """
    if not isinstance(role, str) or role not in set(Role):
        raise BadRequest(f"A role is one of {', '.join(Role)}.", code="invalid-role")
    if organizations is None:
        return {"role": str(role), "organizations": None}
    listed = sorted(set(organizations))
    if not listed or len(listed) > MAX_ORGANIZATIONS or not all(map(_ORG.fullmatch, listed)):
        raise BadRequest(
            f"Name 1 to {MAX_ORGANIZATIONS} organizations by their ids, or none for all of them.", code="invalid-role"
        )
    return {"role": str(role), "organizations": listed}


def check_name(name: object) -> str:
    """Returns the name of a new administrator when it is valid. Raises `BadRequest`."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadRequest(
            "An administrator's name has 1 to 64 lower-case letters, digits, '.', '_' and '-', and begins and ends "
            "with a letter or digit.",
            code="invalid-administrator",
        )
    return name


def check_password(password: object) -> str:
    """Returns a new password when it is valid. Raises `BadRequest`, which does not quote it."""
    if not isinstance(password, str) or not SHORTEST <= len(password) <= LONGEST:
        raise BadRequest(f"A password has {SHORTEST} to {LONGEST} characters.", code="invalid-password")
    return password


def normal_password(password: str) -> bytes:
    """Returns the password's bytes, the same from every keyboard: NFKC, as NIST SP 800-63B 5.1.1.2 recommends."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace")
