"""What a verification finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written. *where* is a chain's name or a storage key; *index* counts from 0."""

    where: str
    what: str
    index: int | None = None

    def __str__(self) -> str:
        place = "" if self.index is None else f", event {self.index + 1}"
        return f"{self.where}{place}: {self.what}"
