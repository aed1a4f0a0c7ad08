"""What one part of the library logged: threads that earlier tests left in the background log, too."""

from __future__ import annotations

import pytest


def messages_of(caplog: pytest.LogCaptureFixture, logger: str) -> list[str]:
    """What *logger* was told, in its order."""
    return [record.getMessage() for record in caplog.records if record.name == logger]
