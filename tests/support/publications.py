"""Publications for tests that publish without a server."""

from __future__ import annotations

from typing import Any

import orjson

from nproxy_mw.access import Actor
from nproxy_mw.json_values import parse_object
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.publication import Publication, parse_publication
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.testing.documents import publish_document

ACTOR = Actor(name="tests", token_hash="0" * 64)


def publication(name: str, version: str, **how: Any) -> Publication:
    """A version as a client would send it; its bytes differ from version to version."""
    how.setdefault("files", {"index.js": f"// {name} {version}\n" * 20})
    return parse_publication(parse_name(name), parse_object(orjson.dumps(publish_document(name, version, **how))))


def publish(organization: Organization, name: str, version: str, **how: Any) -> Publication:
    """Publishes a version, and answers what was published."""
    made = publication(name, version, **how)
    organization.packages.publish(made, ACTOR)
    return made
