"""The calls about API tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from nproxy_mw.errors import BadRequest, StorageUnavailable
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import DONE, Call, Tenant, reply
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.schemas import (
    MAYBE_PATTERNS,
    MAYBE_RANGES,
    MAYBE_TIME,
    NAME,
    TEXT,
    TOKEN_ID,
    TOKEN_SCOPES,
    a_list,
    an_object,
    ref,
)
from nproxy_mw.orgs.revocation import MAX_NAMED, revoke_all, revoke_each
from nproxy_mw.orgs.token_records import check_grants, check_name
from nproxy_mw.restrictions import Restrictions, parse_addresses, parse_packages
from nproxy_mw.rules.values import InvalidFields, list_of, object_of, simple

_TIME = "This is a time with its zone in the future, such as 2027-01-31T00:00:00Z; left out, the token never expires."
_OF_NEW = ("name", "scopes", "packages", "addresses", "createdAt", "expiresAt")


def list_tokens(call: Call, organization: Tenant) -> Response:
    """Returns the tokens that are not revoked, newest first, and the ids of those whose records are damaged."""
    call.query()
    found = organization.tokens.listing()
    return reply({"tokens": [record.to_document() for record in found.tokens], "unreadable": found.unreadable})


def create_token(call: Call, organization: Tenant) -> Response:
    """Creates a token. Its plaintext is in this answer and nowhere else."""
    document = call.document("name", "scopes", "expiresAt", "packages", "addresses")
    fields: dict[str, str] = {}
    name = _checked("name", lambda: check_name(document.get("name")), fields)
    grants = _checked("scopes", lambda: check_grants(_texts(document.get("scopes"))), fields)
    expires_at = _checked("expiresAt", lambda: _time(document.get("expiresAt")), fields)
    packages = _checked("packages", lambda: parse_packages(document.get("packages")), fields)
    addresses = _checked("addresses", lambda: parse_addresses(document.get("addresses")), fields)
    if fields:
        raise InvalidFields(fields, code="invalid-token")
    secret, record = organization.tokens.create(
        name, grants, expires_at=expires_at, restrictions=Restrictions(packages, addresses), actor=call.actor
    )
    shown = record.to_document()
    return reply({"id": shown["id"], "token": secret} | {key: shown[key] for key in _OF_NEW}, 201)


def revoke_token(call: Call, organization: Tenant) -> Response:
    """Revokes a token, at once and for good."""
    call.query()
    organization.tokens.revoke(call.path["tokenId"], actor=call.actor)
    return DONE


def revoke_tokens(call: Call, organization: Tenant) -> Response:
    """Revokes the tokens that the body names, at once and for good. The answer says of each what came of it."""
    done = revoke_each(organization.tokens, call.checked(_NAMED)["ids"], actor=call.actor)
    left = [{"id": one, "error": error.message} for one, error in done.left.items()]
    return reply({"revoked": list(done.revoked), "notRevoked": left})


def revoke_all_tokens(call: Call, organization: Tenant) -> Response:
    """Revokes every token, at once and for good."""
    call.query()
    done = revoke_all(organization.tokens, actor=call.actor)
    if done.left:
        raise StorageUnavailable(
            f"Tokens that were revoked: {len(done.revoked):,}; that were not: {len(done.left):,}. Send this again.",
            code="not-all-revoked",
        )
    return DONE


def _checked(key: str, check: Any, fields: dict[str, str]) -> Any:
    try:
        return check()
    except BadRequest as error:
        fields[key] = error.message
        return None


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest("This is a list with 'proxy', 'publish' or both.")
    return value


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None or not time.astimezone(UTC) > datetime.now(UTC):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequest(_TIME) from error
    return time


_PATH = "/orgs/{orgId}/tokens"
_ID = simple(
    lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value, re.ASCII) is not None,
    "This must be the id of a token, 16 hexadecimal digits.",
    TOKEN_ID,
)
_NAMED = object_of(
    {"ids": list_of(_ID, least=1, most=MAX_NAMED, sentence=f"This must be a list of 1 to {MAX_NAMED} ids.")},
    required=("ids",),
    sentence="This must be an object with ids.",
)
_OPTIONAL = {"expiresAt": MAYBE_TIME, "packages": MAYBE_PATTERNS, "addresses": MAYBE_RANGES}

OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "listTokens",
        "The tokens in use, and the ids of those whose records are damaged",
        OfOrganization(list_tokens),
        an_object({"tokens": a_list(ref("Token")), "unreadable": a_list(TEXT)}),
    ),
    Operation(
        "POST",
        _PATH,
        "createToken",
        "Makes a token; its plaintext is in this answer and nowhere else",
        OfOrganization(create_token),
        ref("NewToken"),
        status="201",
        body=an_object({"name": NAME, "scopes": TOKEN_SCOPES}, closed=True, **_OPTIONAL),
    ),
    Operation("DELETE", _PATH, "revokeAllTokens", "Ends every token", OfOrganization(revoke_all_tokens), status="204"),
    Operation(
        "POST",
        f"{_PATH}/revoke",
        "revokeTokens",
        "Ends the tokens that the body names; the answer says which were ended, and why others were not",
        OfOrganization(revoke_tokens),
        an_object({"revoked": a_list(TEXT), "notRevoked": a_list(an_object({"id": TEXT, "error": TEXT}))}),
        body=_NAMED.schema,
    ),
    Operation(
        "DELETE", f"{_PATH}/{{tokenId}}", "revokeToken", "Ends a token", OfOrganization(revoke_token), status="204"
    ),
)
