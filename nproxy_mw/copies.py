"""A copy of a record with some of its fields changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The same call. A type checker knows this one, and compares the changes with the fields.
    from dataclasses import replace
else:
    from msgspec.structs import replace

__all__ = ["replace"]
