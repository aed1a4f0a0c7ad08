"""Corpora: generated, the same everywhere; and recorded from npm's cache."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.corpus.archives import archive
from benchmarks.corpus.documents import abbreviated, packument, versions_of
from benchmarks.corpus.files import ORIGIN, Corpus
from benchmarks.corpus.recorded import record
from benchmarks.corpus.sizes import PACKUMENTS, TARBALLS, size_at, sizes
from benchmarks.corpus.synthetic import dependencies_of, generate, name_of
from benchmarks.errors import CannotRun


@pytest.mark.parametrize("quantiles", [PACKUMENTS, TARBALLS], ids=["packuments", "tarballs"])
def test_quantiles_are_met(quantiles):
    """At each quantile the size is the one that was measured."""
    assert [size_at(quantiles, part) for part, _ in quantiles] == [size for _, size in quantiles]


@given(st.floats(0, 1), st.floats(0, 1))
def test_sizes_grow(one, other):
    """A larger part of the distribution has larger sizes."""
    low, high = sorted((one, other))
    assert size_at(PACKUMENTS, low) <= size_at(PACKUMENTS, high)


def test_sizes_are_the_same_everywhere():
    """Fixed sizes come first; the order of the others depends on the seed alone."""
    made = sizes(TARBALLS, 50, (7, 8), "seed")
    assert made == sizes(TARBALLS, 50, (7, 8), "seed")
    assert made[:2] == [7, 8]
    assert made != sizes(TARBALLS, 50, (7, 8), "another")
    assert sorted(made) == sorted(sizes(TARBALLS, 50, (7, 8), "another"))
    assert sizes(TARBALLS, 1, (7, 8), "seed") == [7]


@pytest.mark.parametrize("size", [2_000, 6_400, 72_000, 1_411_000])
def test_tarballs_have_their_size(size):
    """A tarball is an npm package, and within ten percent of the wanted size."""
    data = archive("@open/one", "1.2.3", size, {"other": "^1.0.0"})
    assert len(data) == pytest.approx(size, rel=0.1)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        manifest = json.load(tar.extractfile("package/package.json"))
    assert (manifest["name"], manifest["version"], manifest["dependencies"]) == (
        "@open/one",
        "1.2.3",
        {"other": "^1.0.0"},
    )


@pytest.mark.parametrize("size", [6_000, 40_200, 264_100])
def test_packuments_have_their_size(size):
    """A packument has the wanted size, and its newest version the digests of the real tarball."""
    data = packument("@open/one", size, ORIGIN, {"other": "^1.0.0"}, b"tarball")
    document = json.loads(data)
    newest = document["versions"][document["dist-tags"]["latest"]]
    assert len(data) == pytest.approx(size, rel=0.05)
    assert list(document["versions"]) == versions_of(size)
    assert newest["dist"]["shasum"] == hashlib.sha1(b"tarball").hexdigest()  # noqa: S324
    assert newest["dist"]["tarball"] == f"{ORIGIN}/@open/one/-/one-{newest['version']}.tgz"


def test_the_abbreviated_form_leaves_out_what_installers_do_not_need():
    """Scripts become a flag; times become one."""
    document = {
        "name": "one",
        "readme": "#",
        "dist-tags": {"latest": "1.0.0"},
        "time": {"modified": "2020-01-01T00:00:00.000Z"},
        "versions": {"1.0.0": {"name": "one", "version": "1.0.0", "scripts": {"install": "make"}, "gitHead": "abc"}},
    }
    assert abbreviated(document) == {
        "name": "one",
        "dist-tags": {"latest": "1.0.0"},
        "modified": "2020-01-01T00:00:00.000Z",
        "versions": {"1.0.0": {"name": "one", "version": "1.0.0", "hasInstallScript": True}},
    }


@pytest.mark.parametrize("count", [1, 20, 21, 160, 884])
def test_the_application_needs_every_package(count):
    """From the first twenty, dependencies lead to all."""
    todo, seen = list(range(min(20, count))), set()
    numbers = {name_of(number): number for number in range(count)}
    while todo:
        number = todo.pop()
        if number not in seen:
            seen.add(number)
            todo += [numbers[name] for name in dependencies_of(number, count)]
    assert seen == set(range(count))


def test_a_generated_corpus_can_be_read(tmp_path, small_sizes):
    """Files, index and digests agree, and a second one has the same bytes."""
    corpus = generate(tmp_path / "one", 6)
    again = generate(tmp_path / "two", 6)
    assert (tmp_path / "one" / "index.json").read_bytes() == (tmp_path / "two" / "index.json").read_bytes()
    assert (corpus.packuments, corpus.tarballs) == (again.packuments, again.tarballs)
    for one in corpus.packuments.values():
        assert {form: len(corpus.read(one, form)) for form in one.sizes} == one.sizes
        assert gzip.decompress(corpus.read(one, "full.gz")) == corpus.read(one, "full")
        assert json.loads(corpus.read(one, "abbreviated"))["name"] == one.name
    for tarball in corpus.tarballs.values():
        assert hashlib.sha1(corpus.read_tarball(tarball)).hexdigest() == tarball.sha1  # noqa: S324


def test_the_nearest_object_is_found(tmp_path, small_sizes):
    """Hot reads name sizes, not packages, so that they work with any corpus."""
    corpus = generate(tmp_path, 6)
    for one in corpus.packuments.values():
        assert corpus.packument_near(one.sizes["full"]).sizes["full"] == one.sizes["full"]
    for tarball in corpus.tarballs.values():
        assert corpus.tarball_near(tarball.size).size == tarball.size


@pytest.mark.parametrize("index", [None, "{}", "[]", "{", '{"edition": 0}'])
def test_what_is_no_corpus_is_refused(tmp_path, index):
    """The message says how to make one."""
    if index is not None:
        (tmp_path / "index.json").write_text(index)
    with pytest.raises(CannotRun, match="benchmarks corpus"):
        Corpus.load(tmp_path)


class Cache:
    """npm's cache, written by hand: https://github.com/npm/cacache/blob/main/README.md#disk-layout."""

    def __init__(self, folder):
        self.folder = folder / "_cacache"
        self.count = 0

    def add(self, url, body):
        digest = hashlib.sha512(body)
        name = digest.hexdigest()
        content = self.folder / "content-v2" / "sha512" / name[:2] / name[2:4] / name[4:]
        content.parent.mkdir(parents=True, exist_ok=True)
        content.write_bytes(body)
        integrity = "sha512-" + base64.b64encode(digest.digest()).decode()
        entry = json.dumps({"key": f"make-fetch-happen:request-cache:{url}", "integrity": integrity})
        self.count += 1
        bucket = self.folder / "index-v5" / f"{self.count:02}" / "aa" / "bb"
        bucket.parent.mkdir(parents=True)
        bucket.write_text(f"\n{hashlib.sha1(entry.encode()).hexdigest()}\t{entry}")  # noqa: S324


@pytest.fixture
def cache(tmp_path):
    """A cache of two packages, of which one wants a build for another platform that the registry does not have."""
    cache = Cache(tmp_path / "cache")
    build = {"name": "build", "versions": {"1.0.0": {}}}
    manifest = {
        "dist": {"tarball": "https://upstream.example/@open/one/-/one-1.0.0.tgz"},
        "optionalDependencies": {"build": "2.0.0", "other": "1.0.0"},
        "dependencies": {"build": "2.0.0"},
    }
    cache.add("https://upstream.example/build", json.dumps(build).encode())
    cache.add(
        "https://upstream.example/@open%2fone",
        json.dumps({"name": "@open/one", "versions": {"1.0.0": manifest}}).encode(),
    )
    cache.add("https://upstream.example/@open/one/-/one-1.0.0.tgz", b"tarball")
    cache.add("https://upstream.example/-/npm/v1/security/advisories/bulk", b"{}")
    return tmp_path / "cache"


def test_a_corpus_is_recorded_from_npms_cache(tmp_path, cache):
    """Origins are replaced, and optional dependencies that cannot be installed are left out."""
    (tmp_path / "package.json").write_text('{"dependencies": {"@open/one": "*"}, "devDependencies": {"build": "^1"}}')
    corpus = record(tmp_path / "corpus", cache, tmp_path)
    manifest = json.loads(corpus.read(corpus.packuments["@open/one"], "full"))["versions"]["1.0.0"]
    assert corpus.packuments.keys() == {"build", "@open/one"}
    assert manifest["dist"]["tarball"] == f"{ORIGIN}/@open/one/-/one-1.0.0.tgz"
    assert (manifest["optionalDependencies"], manifest["dependencies"]) == ({"other": "1.0.0"}, {})
    assert corpus.read_tarball(corpus.tarballs["/@open/one/-/one-1.0.0.tgz"]) == b"tarball"
    assert corpus.dependencies == {"@open/one": "*", "build": "^1"}


@pytest.mark.parametrize("missing", ["cache", "project"])
def test_recording_needs_a_cache_and_its_project(tmp_path, cache, missing):
    """The message says what to give."""
    with pytest.raises(CannotRun, match=missing):
        record(tmp_path / "corpus", tmp_path if missing == "cache" else cache, tmp_path)
