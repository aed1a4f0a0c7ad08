"""A registry for everything bad."""

from __future__ import annotations

import pytest
from support.registry import RegistryFixture, publish

from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import locks_for


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A registry in a folder, with one package that everything below is aimed at."""
    folder = tmp_path_factory.mktemp("kept")
    acme = RegistryFixture(open_storage(str(folder)), locks=locks_for(str(folder)))
    client = acme.client()
    assert publish(client).status == 201
    assert client.get("/-/whoami").status == 200
    return acme, client, folder
