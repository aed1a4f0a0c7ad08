"""For tests of your own: doubles, documents and contracts."""

import pytest

# Before the modules are imported: their assertions then say what differed.
pytest.register_assert_rewrite("nproxy_mw.testing.storage", "nproxy_mw.testing.storage_races")

from nproxy_mw.testing.storage import StorageContract  # noqa: E402

__all__ = ["StorageContract"]
