"""Every `Transport` that the library has keeps the contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nproxy_mw.testing import TransportContract
from nproxy_mw.upstream.transport import Transport, Urllib3Transport


class TestUrllib3Transport(TransportContract):
    """The one on urllib3."""

    @pytest.fixture
    def transport_to(self) -> Callable[[str], Transport]:
        return Urllib3Transport
