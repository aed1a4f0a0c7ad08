"""The options that say which store and which organization a command is about, and what they open."""

from __future__ import annotations

from pathlib import Path

from nproxy_mw.access import Actor
from nproxy_mw.cli.command import Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.tenancy import parse_orgs
from nproxy_mw.copies import replace
from nproxy_mw.orgs.directory import is_slug
from nproxy_mw.orgs.organization import DEFAULT_ORG, Organization, Organizations
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.storage.port import Storage

ACTOR = Actor(name="command line")
"""Who the audit trail says it was when a command changed something."""


def _seal(text: str) -> Seal:
    try:
        return Seal.from_text(text)
    except ValueError as error:
        raise ValueError("must be 32 bytes in hex or base64") from error


def _org(text: str) -> str:
    if not is_slug(text):
        raise ValueError("is not an organization's id, like acme")
    return text


CONFIG = Option("config", "a configuration file in TOML; its keys are the options of 'serve'", "FILE")
STORAGE = Option("storage", "where everything is kept: a folder or an fsspec URL", "URL", default="nproxy-data")
ORG = Option("org", "the organization", "ID", parse=_org, otherwise=f"the one of a fixed --orgs, else {DEFAULT_ORG}")
ORGS = Option(
    "orgs", "whose registry a request is for: fixed:ID, path (/ID/) or host:DOMAIN (ID.DOMAIN)", "HOW",
    parse=parse_orgs, otherwise="fixed, as --org says",
)  # fmt: skip
SEAL_KEY = Option(
    "seal-key", "seals private signing keys at rest: 32 bytes in hex or base64", "KEY", parse=_seal, secret=True
)

WHOLE_STORE = (STORAGE, CONFIG)
"""What a command about a whole store has."""
ONE_ORG = (STORAGE, ORG, CONFIG, replace(ORGS, inherited=True), replace(SEAL_KEY, inherited=True))
"""What a command about one organization has."""
ANY_OF_STORE = (STORAGE, replace(ORG, help="one organization only", otherwise="all of them"), CONFIG)
"""What a command has that is about all organizations, unless one is named."""


def open_organizations(
    url: str, *, freshness: float = 0, seal: Seal | None = None, search_folder: Path | None = None
) -> Organizations:
    """Opens the store at *url*, read without caching unless *freshness* says otherwise.

    Raises:
        UsageError: it is not a storage of a kind that is supported.
    """
    try:
        return Organizations.at(url, freshness=freshness, seal=seal, search_folder=search_folder)
    except ValueError as error:
        raise UsageError(str(error)) from error


def existing_storage(url: str) -> Storage:
    """Opens the storage at *url*, which must hold something: a mistyped name must not look like a sound store.

    Raises:
        UsageError: nothing is stored there, or it is not a storage.
    """
    storage = open_organizations(url).storage
    if next(iter(storage.list()), None) is None:
        raise UsageError(f"There is no store in {url}: give the one that the server uses with --storage.")
    return storage


def org_of(parsed: Parsed) -> str:
    """Returns the id of the organization that the options name."""
    return parsed.org or (parsed.orgs and parsed.orgs.fixed_org) or DEFAULT_ORG


def organization_of(parsed: Parsed, *, make: bool = False) -> Organization:
    """Opens the organization that the options name.

    With *make*, the first organization of an empty store is created: a token can be made before a server starts.

    Raises:
        UsageError: there is no such storage, or no such organization in it.
    """
    organizations, org = open_organizations(parsed.storage, seal=parsed.seal_key), org_of(parsed)
    if organizations.has(org):
        return organizations.open(org)
    if make and org == DEFAULT_ORG and not organizations.directory.list():
        return organizations.ensure(org, actor=ACTOR)
    raise UsageError(no_such_organization(parsed.storage, organizations, org))


def orgs_of(parsed: Parsed) -> list[str]:
    """Returns the organization that ``--org`` names; none when all are meant.

    Raises:
        UsageError: the store has no such organization.
    """
    if parsed.org is None:
        return []
    organizations = open_organizations(parsed.storage)
    if not organizations.has(parsed.org):
        raise UsageError(no_such_organization(parsed.storage, organizations, parsed.org))
    return [parsed.org]


def no_such_organization(url: str, organizations: Organizations, org: str) -> str:
    """Returns the sentence for an organization that does not exist: what there is, and how to make it."""
    found = [one.id for one in organizations.directory.list()]
    there = f"; it has {', '.join(found[:10])}{' and others' if len(found) > 10 else ''}" if found else ""
    return (
        f"There is no organization {org!r} in {url}{there}: name another --storage or --org, or make it with "
        f"'nproxy-mw org create {org}'."
    )
