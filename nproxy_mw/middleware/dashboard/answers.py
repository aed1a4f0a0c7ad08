"""What a page's handler returns: a page to render, a redirect, or a file to download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nproxy_mw.http.messages import Headers, Stream


@dataclass(frozen=True, slots=True)
class Page:
    """A template with its values. *title* is what the browser's tab and the heading say."""

    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    """A place to go by GET. *path* is below the dashboard; *notice* is a key of `NOTICES`."""

    path: str
    notice: str = ""
    headers: Headers = ()
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that the browser stores. A `Stream` is made while it is sent."""

    filename: str
    content_type: str
    body: bytes | Stream


Answer: TypeAlias = Page | Redirect | Download

NOTICES = {
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "All your sessions have ended.",
    "password-changed": "The password is changed. Sign in with the new one.",
    "trail-verified": "The audit trail is as it was written. A new checkpoint was taken.",
    "settings-saved": "The settings are saved. They are in effect from now on.",
    "settings-unchanged": "Nothing was changed.",
    "token-revoked": "The token is revoked. It opens nothing from now on.",
    "chosen-tokens-revoked": "The tokens are revoked. They open nothing from now on.",
    "versions-blocked": "The versions are on the block list. Clients are refused from now on.",
    "tokens-revoked": "All tokens are revoked. They open nothing from now on.",
    "organization-created": "The organization is created.",
    "tag-set": "The tag is set.",
    "tag-removed": "The tag is removed.",
    "deprecated": "The message is set. Clients print it when they install the version.",
    "undeprecated": "The message is removed.",
    "unpublished": "The package is unpublished. Its version numbers are never used again.",
    "version-unpublished": "The version is unpublished. Its number is never used again.",
    "key-rotated": "There are new keys. What the old ones signed stays valid.",
    "person-created": "The account is created.",
    "person-changed": "The account is changed.",
    "sessions-ended": "All sessions of the account have ended.",
    "session-ended": "The session has ended.",
    "other-sessions-ended": "Your other sessions have ended.",
    "person-removed": "The account is removed, and all its sessions have ended. API tokens stay.",
    "rules-saved": "The rules are saved. They are in effect from now on.",
    "exception-removed": "The exception is removed.",
    "exception-added": "The exception is added.",
    "exception-requested": "The request is with the administrators of the organization.",
    "request-approved": "The request is approved. Its exception is in effect from now on.",
    "request-denied": "The request is denied.",
}
"""What a page says after a redirect. A URL names a sentence by its key, so nobody can put words into a page."""
