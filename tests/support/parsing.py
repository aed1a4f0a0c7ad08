"""Publish documents as they are sent and parsed."""

from __future__ import annotations

from typing import Any

from nproxy_mw.json_values import dumps, parse_object
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.publication import Publication, parse_publication

NAME = "@acme/utils"
VERSION = "1.0.0"
FILE = f"{NAME}-{VERSION}.tgz"

Document = dict[str, Any]


def parse(document: Document, name: str = NAME) -> Publication:
    """Sends a document through JSON, as a client does."""
    return parse_publication(parse_name(name), parse_object(dumps(document)))


def manifest(document: Document) -> dict[str, Any]:
    (found,) = document["versions"].values()
    return found  # type: ignore[no-any-return]
