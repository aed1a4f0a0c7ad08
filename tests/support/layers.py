"""What tests of one layer put above and below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nproxy_mw.http.context import CONTEXT, Context
from nproxy_mw.http.messages import json_response, send


class FixedSettings:
    """Settings of an organization that never change."""

    def __init__(
        self, internal_scopes: Iterable[str] = ("@acme",), *, public_reads: bool = True, version_unpublish: bool = False
    ) -> None:
        self.internal_scopes = tuple(internal_scopes)
        self.public_reads = public_reads
        self.version_unpublish = version_unpublish
        self.slim_packuments = True
        self.audit_without_advisories = "empty"
        self.rate_limit = None

    def __call__(self) -> FixedSettings:
        return self


def with_context(environ: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A copy of *environ* with a context whose *fields* outer layers have filled in."""
    return {**environ, CONTEXT: Context(**fields)}


def say(environ: Any, start_response: Any, document: Any) -> Iterable[bytes]:
    """Answers *document* as JSON, as an application below a layer."""
    return send(environ, start_response, json_response(document))
