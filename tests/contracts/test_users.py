"""Every authenticator and every `Administrators` that the library has keeps the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from support.hosting import PASSWORD, PlatformFixture

from nproxy_mw.access import Administrators
from nproxy_mw.middleware.management import Authenticator, SignedIn
from nproxy_mw.testing import AdministratorsContract, AuthenticatorContract


@pytest.fixture
def platform() -> PlatformFixture:
    return PlatformFixture(orgs=())


class TestSignedIn(AuthenticatorContract):
    """Sessions of the server's own administrators."""

    @pytest.fixture
    def users(self, platform: PlatformFixture) -> Authenticator:
        return SignedIn(platform.administrators, platform.sessions)

    @pytest.fixture
    def signed_in(self, platform: PlatformFixture) -> Mapping[str, Any]:
        return {"HTTP_AUTHORIZATION": f"Bearer {platform.session()}"}


class TestAdministratorStore(AdministratorsContract):
    """Accounts with argon2 hashes."""

    @pytest.fixture
    def administrators(self, platform: PlatformFixture) -> Administrators:
        return platform.administrators

    @pytest.fixture
    def pair(self, platform: PlatformFixture) -> tuple[str, str]:
        return platform.administrator, PASSWORD
