"""What people call a token or an organization."""

from __future__ import annotations

from typing import TypeGuard

MAX_NAME = 100  # characters


def is_name(text: object) -> TypeGuard[str]:
    """Returns whether *text* is a name that shows as one: 1 to `MAX_NAME` printable characters, not only spaces."""
    return isinstance(text, str) and bool(text.strip()) and len(text) <= MAX_NAME and text.isprintable()
