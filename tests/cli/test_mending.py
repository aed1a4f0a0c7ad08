"""A server that starts mends what the one before left when it was killed, and nothing stands in anybody's way."""

from __future__ import annotations

import pytest
from support.chaos import Storm, servers
from support.impatient import eventually
from support.logs import messages_of
from support.publications import publish
from support.registry import ACTOR
from support.server import program

from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.audit import verify
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.dirty import settle_all
from nproxy_mw.cli import repair
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.organization import organization_at
from nproxy_mw.storage import open_storage
from nproxy_mw.upkeep.check import check
from nproxy_mw.upkeep.repair import OutOfTime, repair_quickly


@pytest.fixture
def url(tmp_path):
    """A store with an organization, an administrator, a token and a package."""
    url = str(tmp_path / "store")
    storage = open_storage(url)
    organizations = OrganizationDirectory(storage)
    organizations.create("acme", actor=ACTOR)
    AdministratorStore(storage, trail=organizations.trail("system")).create("ann", "correct horse battery", actor=ACTOR)
    organization = organization_at(url, "acme")
    organization.settings.ensure_scopes(["@acme"], actor=ACTOR)
    organization.tokens.create("ci", ["publish"], actor=ACTOR)
    for version in ("1.0.0", "1.1.0"):
        publish(organization, "@acme/utils", version)
    return url


def found(url):
    return [str(finding) for finding in check(open_storage(url))]


def lose(url, *parts):
    """Removes what a killed process would not have written; answers how much that was."""
    storage = open_storage(url)
    keys = [key for key in storage.list() if any(part in key for part in parts)]
    for key in keys:
        storage.delete(key)
    return len(keys)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(["-package.published"], id="published"),
        pytest.param(["/audit/index/"], id="the whole index"),
        pytest.param(["/audit/"], id="changes of everything else too"),
    ],
)
def test_what_a_crash_leaves_is_mended(url, parts, caplog):
    """Afterwards nothing is found, and one line tells that something was done."""
    assert lose(url, *parts)
    assert found(url) != []
    repair.begin(url).join()
    assert found(url) == []
    (line,) = messages_of(caplog, repair.__name__)
    assert line.startswith("the audit trail was completed after a crash: ")


def test_sound_store_is_left_as_it_is(url, caplog):
    """Nothing is written but the note that everything was looked at, and nothing said."""
    before = {key: open_storage(url).read(key).data for key in open_storage(url).list()}
    repair.repair_store(url)
    after = {key: open_storage(url).read(key).data for key in open_storage(url).list()}
    assert {key for key in after if after[key] != before.get(key)} == {
        f"orgs/{org}/upkeep/mended.json" for org in ("acme", "system")
    }
    assert before.keys() <= after.keys()
    assert messages_of(caplog, repair.__name__) == []


def test_empty_store_is_left_empty(tmp_path):
    """Nothing is made in it, not even a lock."""
    repair.repair_store(str(tmp_path / "store"))
    assert not (tmp_path / "store" / ".locks").exists()


def test_one_process_mends_at_a_time(url, caplog):
    """Whoever does not get its turn in time leaves it to the other."""
    lose(url, "/audit/index/")
    with repair.lock_of(url).hold("mending", 1.0):
        repair.repair_store(url, 0.01)
    assert found(url) != []
    assert messages_of(caplog, repair.__name__) == []


def test_lock_of_mending_is_in_nobodys_way(url):
    """No package's lock is the same file."""
    with repair.lock_of(url).hold("mending", 1.0):
        publish(organization_at(url, "acme"), "@acme/utils", "2.0.0")
    assert repair.lock_of(url).folder != organization_at(url).packages.locks.folder


def test_effort_is_bounded(url, caplog):
    """A store that takes too long is given up with one line that says what to do."""
    ticks = iter(range(1000))
    with pytest.raises(OutOfTime):
        repair_quickly(open_storage(url), 3.0, lambda: next(ticks))
    repair.repair_store(url, -1.0)
    assert messages_of(caplog, repair.__name__)[-1].endswith("run 'nproxy-mw check --repair'")


def test_failure_is_one_line(url, monkeypatch, caplog):
    """The server serves on."""

    def fail(*_):
        raise StorageUnavailable("The disk\nis gone.")

    repair.repair_store("gopher://x")
    monkeypatch.setattr(repair, "repair_quickly", fail)
    repair.repair_store(url)
    lines = messages_of(caplog, repair.__name__)
    assert len(lines) == 2
    assert all("\n" not in line and "check --repair" in line for line in lines)


def test_store_in_memory_has_no_lock_between_processes():
    """No server is ever started on one."""
    with pytest.raises(TypeError):
        repair.lock_of("memory://x")


def is_whole(url):
    organization = organization_at(url)
    checkpoints = Checkpoints(organization.storage, org=organization.id)
    chains = verify.all_chains(organization.trail)
    return not list(verify.verify(organization.trail, chains, checkpoints, organization.keys.public_keys()))


@pytest.mark.e2e
def test_audit_trail_is_whole_after_a_crash_and_a_start(tmp_path):
    """Killed -9 in a storm, with events that no longer got into the index: started again, ``audit verify`` exits 0."""
    url = str(tmp_path / "store")
    with servers(url, tmp_path / "hosts", hosts=1, workers=2) as (server,):
        token = organization_at(url).tokens.create("storm", ["proxy", "publish"], actor=ACTOR)[0]
        storm = Storm([server.port], token, [("@acme/one", f"1.0.{number}") for number in range(24)])
        storm.begin(6)
        storm.wait_for(0.5)
        server.kill()
        lose(url, "-token.created-")
        server.start()
        storm.end()
        assert eventually(lambda: is_whole(url))
        lose(url, "-package.published+package.signed")
        server.kill_worker()  # the one in its place mends as well
        assert eventually(lambda: is_whole(url))
        program(tmp_path / "store", "audit", "verify")


@pytest.mark.e2e
def test_clean_stop_leaves_nothing_to_look_at(tmp_path):
    """A worker that changed something has a mark; SIGTERM removes it, SIGKILL does not, and the next start mends."""
    url = str(tmp_path / "store")
    with servers(url, tmp_path / "hosts", hosts=1, workers=2) as (server,):
        token = organization_at(url).tokens.create("ci", ["proxy", "publish"], actor=ACTOR)[0]
        settle_all()
        jobs = [[(f"@acme/{part}", f"1.0.{number}") for number in range(8)] for part in ("clean", "killed")]
        assert eventually(lambda: (tmp_path / "store/orgs/default/upkeep/mended.json").exists())
        for job, end in zip(jobs, (server.process.terminate, server.kill), strict=True):
            storm = Storm([server.port], token, job)
            storm.begin(4)
            storm.end()
            assert marks(tmp_path)
            process = server.process
            end()
            process.wait(60)
            assert (marks(tmp_path) == []) == (end != server.kill)
            lost = lose(url, "/audit/index/") if end == server.kill else 0
            server.start()
        assert lost
        assert eventually(lambda: is_whole(url))


def marks(folder):
    return list((folder / "store/orgs/default/upkeep/dirty").glob("*"))
