"""Every `Signer` that the library has keeps the contract."""

from __future__ import annotations

from typing import Any

import pytest

from nproxy_mw.signing import Signer
from nproxy_mw.signing.keys import Ed25519Signer, P256Signer
from nproxy_mw.testing import SignerContract


def restored(kind: Any) -> Signer:
    """A signer of that kind, as it comes back from where its key is stored."""
    signer: Signer = kind(kind().private())
    return signer


class TestSigners(SignerContract):
    """New keys and stored ones, of both kinds."""

    @pytest.fixture(params=[Ed25519Signer, P256Signer])
    def kind(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture(params=["new", "restored"])
    def signer(self, request: pytest.FixtureRequest, kind: Any) -> Signer:
        signer: Signer = kind() if request.param == "new" else restored(kind)
        return signer
