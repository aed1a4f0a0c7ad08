"""What is wrong with a published version is said in sentences, whatever was made of its packument."""

from __future__ import annotations

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.publications import publish

from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import open_organization
from nproxy_mw.packages.verify import findings
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import ThreadLocks

PACKAGE = {
    "os": ["linux"],
    "cpu": "x64",
    "engines": {"node": ">=18"},
    "main": "index.js",
    "exports": {".": "./index.js"},
    "type": "module",
    "scripts": {"postinstall": "true"},
}


@pytest.fixture(scope="module")
def proof():
    """A packument with one version, its tarball, and the public keys."""
    organization = open_organization(open_storage("memory://proofs"), ThreadLocks())
    made = publish(organization, "@acme/utils", "1.0.0", package_json=PACKAGE)
    packument, _ = organization.packages.read(parse_name("@acme/utils"))
    return packument, made.tarball, organization.keys.public_keys()


def found(proof, alter):
    packument, tarball, keys = copy.deepcopy(proof[0]), *proof[1:]
    alter(packument["versions"]["1.0.0"], packument)
    return list(findings(packument, "1.0.0", tarball, keys))


def test_sound_version_has_no_problems(proof):
    """Nothing is said of what is as it was published."""
    assert found(proof, lambda manifest, _: None) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("os", ["win32"]),
        ("os", None),
        ("cpu", ["x64", "arm"]),
        ("libc", ["musl"]),
        ("engines", {"node": ">=99"}),
        ("main", "other.js"),
        ("exports", None),
        ("imports", {"#x": "./x.js"}),
        ("type", "commonjs"),
        ("hasInstallScript", False),
        ("_hasShrinkwrap", True),
    ],
)
def test_field_that_differs_from_the_tarball_is_named(proof, field, value):
    """Though no signature covers it."""
    said = found(proof, lambda manifest, _: manifest.update({field: value}))
    assert said == [f"Its manifest is not the one that was published: it differs from its tarball in {field}."]


@pytest.mark.parametrize(("field", "value"), [("os", "linux"), ("cpu", ["x64"]), ("libc", []), ("imports", {})])
def test_same_in_another_form_is_the_same(proof, field, value):
    """One is a list of one, and nothing is nothing."""
    assert found(proof, lambda manifest, _: manifest.update({field: value})) == []


@pytest.mark.parametrize("junk", ["text", 5, True, ["text"], [None], {"a": 1}, [{}], {"signatures": "text"}])
@pytest.mark.parametrize("place", ["signatures", "nproxy", "integrity"])
def test_wrong_type_in_dist_is_a_sentence(proof, place, junk):
    """No exception comes out, and it is not taken for sound."""
    said = found(proof, lambda manifest, _: manifest["dist"].update({place: junk}))
    assert said
    assert all(sentence.endswith(".") for sentence in said)


@pytest.mark.parametrize("junk", [None, "text", 5, [], ["x"]])
def test_dist_or_manifest_of_a_wrong_type_is_a_sentence(proof, junk):
    """Also when there is nothing to look at."""
    assert len(found(proof, lambda manifest, _: manifest.update(dist=junk))) == 1
    assert len(found(proof, lambda _, packument: packument["versions"].update({"1.0.0": junk}))) == 1


def test_missing_integrity_is_told(proof):
    """A version that vouches for no bytes is not what was published."""
    said = found(proof, lambda manifest, _: manifest["dist"].pop("integrity"))
    assert any("integrity is missing" in sentence for sentence in said)


@pytest.mark.parametrize("keys", [[], [None], [5], [{"keyid": 5}], [{"keyid": "x", "expires": 7}]])
def test_keys_of_a_wrong_type_vouch_for_nothing(proof, keys):
    """Each signature is then by a key that is not listed."""
    assert len(list(findings(proof[0], "1.0.0", proof[1], keys))) == 2


@pytest.mark.parametrize(
    ("expires", "sentences"),
    [
        pytest.param("2000-01-01T00:00:00.000Z", 2, id="long before"),
        pytest.param("the moment", 2, id="at the moment"),
        pytest.param("9999-01-01T00:00:00.000Z", 0, id="later"),
        pytest.param(None, 0, id="never"),
    ],
)
def test_key_that_had_expired_vouches_for_nothing(proof, expires, sentences):
    """Whoever has an old key cannot sign what is published today. What it signed in its time stays signed."""
    packument, tarball, keys = proof
    moment = packument["time"]["1.0.0"] if expires == "the moment" else expires
    old = [{**key, "expires": moment} for key in keys]
    said = list(findings(packument, "1.0.0", tarball, old))
    assert len(said) == sentences
    assert all("by a key that had expired when it was published" in sentence for sentence in said)


def test_key_of_another_kind_vouches_for_nothing(proof):
    """A signature is by a key of the kind that its place is for, though it fits."""
    packument, tarball, keys = proof
    moved = copy.deepcopy(packument)
    dist = moved["versions"]["1.0.0"]["dist"]
    dist["signatures"], dist["nproxy"]["signatures"] = dist["nproxy"]["signatures"], dist["signatures"]
    said = list(findings(moved, "1.0.0", tarball, keys))
    assert len(said) == 2
    assert all("by a key that is not listed" in sentence for sentence in said)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=8,
)
FIELDS = ["name", "version", "dist", "dependencies", "bin", "directories", "bundleDependencies", *PACKAGE]
FIELDS += ["optionalDependencies", "peerDependencies", "gypfile", "bundledDependencies"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON), dist=JSON, times=JSON)
def test_no_manifest_is_too_strange(proof, changes, dist, times):
    """Whatever is stored in its place, sentences come out."""

    def alter(manifest, packument):
        manifest["dist"].update(dist if isinstance(dist, dict) else {"signatures": dist})
        manifest.update(changes)
        packument["time"] = times

    assert all(isinstance(sentence, str) for sentence in found(proof, alter))
