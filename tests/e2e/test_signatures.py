"""npm's own verifier, and ours, on what a real server serves: sound versions pass, altered ones do not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from support.programs import PROGRAM, Npm, Served, gunicorn

from nproxy_mw import signing
from nproxy_mw.signing.keys import P256Signer
from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

# What `npm audit signatures` does for each package of a tree, without its first question to sigstore.
VERIFIER = """
const [npm, registry, token, cache, ...specs] = process.argv.slice(2)
const pacote = require(npm + '/node_modules/pacote')
const host = registry.replace(/^http:/, '')
const pem = key => `-----BEGIN PUBLIC KEY-----\\n${key.key}\\n-----END PUBLIC KEY-----`
const verify = async () => {
  const listed = (await (await fetch(registry + '-/npm/v1/keys')).json()).keys
  const keys = listed.map(key => ({ ...key, pemkey: pem(key) }))
  const how = { registry, cache, [`${host}:_authToken`]: token, [`${host}:_keys`]: keys }
  const found = {}
  for (const spec of specs) {
    try {
      const manifest = await pacote.manifest(spec, { ...how, verifySignatures: true, fullMetadata: true })
      await pacote.tarball(manifest._resolved, { ...how, integrity: manifest._integrity })
      found[spec] = manifest._signatures.length
    } catch (error) { found[spec] = error.code }
  }
  console.log(JSON.stringify(found))
}
verify()
"""


@pytest.fixture(scope="module")
def signing_upstream() -> Iterator[RecordingUpstream]:
    """An upstream with a key of its own, and a package signed with it."""
    with RecordingUpstream() as upstream:
        upstream.publish("left-edge", "2.1.0", files={"index.js": ""})
        signer = P256Signer()
        packument = upstream.state.packuments["left-edge"]
        manifest = packument["versions"]["2.1.0"]
        dist = signing.signatures("left-edge", "2.1.0", manifest["dist"]["integrity"], [signer])
        manifest["dist"]["signatures"] = dist["signatures"]
        upstream.state.keys.append(signing.public_record(signer.algorithm, signer.public))
        yield upstream


@pytest.fixture(scope="module")
def served(signing_upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of these tests' own: what it stores is going to be altered, a package for each test."""
    with gunicorn(tmp_path_factory.mktemp("signed"), signing_upstream, "--workers", "1") as served:
        yield served


@pytest.fixture
def verified(npm_program: Sequence[str], npm: Npm, served: Served, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What npm's verifier says of each package: how many signatures it verified, or its error code."""
    script = tmp_path / "verify.js"
    script.write_text(VERIFIER)
    modules = Path(npm("root", "--global").strip())
    node = Path(npm_program[0]).with_name("node")

    def verify(*specs: str) -> dict[str, Any]:
        cache = tmp_path / f"pacote-{len(list(tmp_path.glob('pacote-*')))}"
        arguments = [modules / "npm", f"{served.url}/", served.token(), cache, *specs]
        done = subprocess.run([node, script, *arguments], capture_output=True, text=True, timeout=60, check=True)
        return dict(json.loads(done.stdout))

    return verify


def ours(served: Served, spec: str) -> subprocess.CompletedProcess[str]:
    """``nproxy-mw verify``."""
    command = [PROGRAM, "verify", spec, "--storage", str(served.storage)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def record_of(served: Served, name: str) -> Path:
    return served.storage / "orgs" / "default" / "packages" / name / "record.json"


def alter(path: Path, old: bytes, new: bytes) -> None:
    """Changes stored bytes behind the server's back, as somebody with write access could."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def test_internal_and_public_versions_pass_npms_verifier(npm: Npm, verified: Callable[..., dict[str, Any]]) -> None:
    """One list of keys holds the organization's and the upstream's, so both kinds of package are verified."""
    npm.publish("@acme/gears", "1.0.0")
    npm.publish("@acme/gears", "1.1.0")
    specs = ("@acme/gears@1.0.0", "@acme/gears@1.1.0", "left-edge@2.1.0")
    assert verified(*specs) == dict.fromkeys(specs, 1)


def test_our_verifier_finds_versions_as_they_were_published(npm: Npm, served: Served) -> None:
    """Bytes, manifest and both signatures of every version are sound."""
    npm.publish("@acme/cogs", "1.0.0", dependencies={"left-edge": "^2.0.0"})
    done = ours(served, "@acme/cogs")
    assert (done.returncode, done.stdout) == (0, "@acme/cogs@1.0.0: as it was published, with both signatures\n")


def test_fields_that_npm_sends_as_they_are_differ_in_no_honest_version(npm: Npm, served: Served) -> None:
    """Whatever form they have in package.json."""
    npm.publish(
        "@acme/fields",
        "1.0.0",
        os=["!win32", "linux", "darwin"],
        cpu="x64",
        engines={"node": ">=18", "npm": ""},
        main="./lib/../index.js",
        exports={".": {"import": "./index.mjs", "default": "./index.js"}},
        imports={"#x": "./x.js"},
        type="commonjs",
        scripts={"postinstall": "true"},
    )
    assert ours(served, "@acme/fields").returncode == 0


def test_altered_tarball_is_refused(npm: Npm, served: Served, verified: Callable[..., dict[str, Any]]) -> None:
    """Other bytes under a version are refused by npm and by us."""
    npm.publish("@acme/bolts", "1.0.0")
    (tarball,) = (served.storage / "orgs" / "default" / "tarballs" / "@acme" / "bolts").glob("*.tgz")
    data = tarball.read_bytes()
    tarball.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert verified("@acme/bolts@1.0.0") == {"@acme/bolts@1.0.0": "EINTEGRITY"}
    assert ours(served, "@acme/bolts@1.0.0").returncode == 1


def test_altered_integrity_is_refused(npm: Npm, served: Served, verified: Callable[..., dict[str, Any]]) -> None:
    """A packument that vouches for other bytes does not fit the signature."""
    npm.publish("@acme/nuts", "1.0.0")
    record = json.loads(record_of(served, "@acme/nuts").read_bytes())
    integrity = record["packument"]["versions"]["1.0.0"]["dist"]["integrity"]
    alter(record_of(served, "@acme/nuts"), integrity.encode(), f"sha512-{'A' * 86}==".encode())
    assert verified("@acme/nuts@1.0.0") == {"@acme/nuts@1.0.0": "EINTEGRITYSIGNATURE"}
    assert ours(served, "@acme/nuts@1.0.0").returncode == 1


def test_altered_signature_is_refused(npm: Npm, served: Served, verified: Callable[..., dict[str, Any]]) -> None:
    """A signature of another version does not fit."""
    npm.publish("@acme/pins", "1.0.0")
    npm.publish("@acme/pins", "1.1.0")
    versions = json.loads(record_of(served, "@acme/pins").read_bytes())["packument"]["versions"]
    first, second = (versions[one]["dist"]["signatures"][0]["sig"].encode() for one in ("1.0.0", "1.1.0"))
    alter(record_of(served, "@acme/pins"), first, second)
    assert verified("@acme/pins@1.0.0") == {"@acme/pins@1.0.0": "EINTEGRITYSIGNATURE"}
    assert ours(served, "@acme/pins@1.0.0").returncode == 1


def test_altered_manifest_is_found(npm: Npm, served: Served) -> None:
    """Dependencies that the tarball does not have are found by us; npm's signatures do not cover them."""
    npm.publish("@acme/rods", "1.0.0", dependencies={"left-edge": "^2.0.0"})
    alter(record_of(served, "@acme/rods"), b'"left-edge":"^2.0.0"', b'"left-hedge":"^2.0.0"')
    done = ours(served, "@acme/rods@1.0.0")
    assert (done.returncode, "Its manifest is not the one that was published" in done.stdout) == (1, True)


def test_keys_that_were_rotated_out_still_vouch(
    npm: Npm, served: Served, verified: Callable[..., dict[str, Any]]
) -> None:
    """After a rotation, old versions verify with the old key and new ones with the new."""
    npm.publish("@acme/cams", "1.0.0")
    rotate = [PROGRAM, "keys", "rotate", "--storage", str(served.storage)]
    subprocess.run(rotate, capture_output=True, timeout=60, check=True)
    npm.publish("@acme/cams", "1.1.0")
    assert verified("@acme/cams@1.0.0", "@acme/cams@1.1.0") == {"@acme/cams@1.0.0": 1, "@acme/cams@1.1.0": 1}
    assert ours(served, "@acme/cams").returncode == 0


def test_files_are_verified_offline(npm: Npm, served: Served, tmp_path: Path) -> None:
    """Keys, packument and tarball as any client fetches them are enough."""
    npm.publish("@acme/belts", "1.0.0")
    folder = tmp_path / "offline"
    folder.mkdir()
    npm("pack", "@acme/belts@1.0.0", "--pack-destination", str(folder))
    for file, path in (("keys.json", "-/npm/v1/keys"), ("packument.json", "@acme%2fbelts")):
        request = Request(f"{served.url}/{path}", headers={"Authorization": f"Bearer {served.token()}"})
        with urlopen(request) as answer:
            (folder / file).write_bytes(answer.read())
    command = [PROGRAM, "verify", "@acme/belts", "--files", str(folder)]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    alter(folder / "packument.json", b'"@acme/belts@1.0.0"', b'"@acme/belts@9.0.0"')
    alter(folder / "keys.json", b'"key":"', b'"key":"A')
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1
