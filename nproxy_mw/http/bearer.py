"""What a request carries as a Bearer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def bearer(environ: WSGIEnvironment) -> str:
    """Returns the secret that a request carries as a Bearer, or an empty text."""
    scheme, _, secret = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""
