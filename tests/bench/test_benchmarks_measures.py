"""Measures: what they ask for, and whom they believe."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.errors import CannotRun
from benchmarks.http.messages import Response
from benchmarks.measures.catalog import all_measures, chosen
from benchmarks.measures.hot import CASES, request_of
from benchmarks.measures.objects import is_packument, is_tarball, packument_request, tarball_request
from benchmarks.measures.publications import Publication, is_accepted
from benchmarks.servers.port import Ability, Running
from benchmarks.upstream.replies import Replay

PROXY = Running("one", "http://127.0.0.1:1/org", 1, 0.1, Ability.PROXY, read_token="read", write_token="write")
ECHO = Running("bare", "http://127.0.0.1:1", 1, 0.1, Ability.ECHO)


def response(body, status=200, **headers):
    return Response(status, headers, body, len(body))


def replayed(corpus, request):
    """What the upstream replies."""
    reply = Replay(corpus).reply("GET", request.target, request.headers)
    return Response(reply.status, reply.headers, reply.body, len(reply.body))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_hot_case_has_an_object(corpus, case):
    """A proxy is asked for an object of the corpus, a bare server for as many bytes."""
    found = replayed(corpus, request_of(case, corpus, PROXY))
    assert found.status == 200
    assert request_of(case, corpus, ECHO).target == f"/{found.size}"


def test_reads_carry_the_token(corpus):
    """Packuments and tarballs are asked for as the server's user."""
    packument, tarball = next(iter(corpus.packuments.values())), next(iter(corpus.tarballs.values()))
    for request in (packument_request(packument, PROXY), tarball_request(tarball, PROXY)):
        assert request.headers["authorization"] == "Bearer read"
    assert "authorization" not in packument_request(packument, ECHO).headers


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("form", ["full", "abbreviated", "install"])
def test_right_packuments_are_believed(corpus, form, is_packed):
    """Compressed or not, full, abbreviated, or as npm's installer asks."""
    for one in corpus.packuments.values():
        assert is_packument(replayed(corpus, packument_request(one, PROXY, form, is_packed=is_packed)), one)


@pytest.mark.parametrize(
    "change",
    [
        lambda good: None,
        lambda good: replace(good, status=502),
        lambda good: replace(good, body=good.body[:-9]),
        lambda good: replace(good, body=good.body.replace(b'"versions":', b'"revisions":')),
        lambda good: replace(good, body=b"[]"),
        lambda good: replace(good, headers={"content-encoding": "gzip"}),
    ],
    ids=["no answer", "an error", "cut", "without versions", "no packument", "not gzip"],
)
def test_wrong_packuments_are_not_believed(corpus, change):
    """A fast answer that is wrong is no answer."""
    one = corpus.packuments["package-0001"]
    good = replayed(corpus, packument_request(one, PROXY, is_packed=False))
    assert is_packument(good, one)
    assert not is_packument(good, replace(one, versions=one.versions + 1))
    assert not is_packument(change(good), one)


def test_wrong_tarballs_are_not_believed(corpus):
    """Every byte counts."""
    tarball = next(iter(corpus.tarballs.values()))
    good = replayed(corpus, tarball_request(tarball, PROXY))
    assert is_tarball(good, tarball)
    assert not is_tarball(replace(good, body=good.body[:-1] + b"x"), tarball)
    assert not is_tarball(replace(good, status=206), tarball)
    assert not is_tarball(None, tarball)


def test_a_publication_is_what_npm_sends():
    """One version with its attachment, to the path of the package, with the token that may publish."""
    publication = Publication("@bench/one", "1.0.0")
    request = publication.request(PROXY)
    document = json.loads(request.body)
    assert (request.method, request.target) == ("PUT", "/@bench%2fone")
    assert request.headers["authorization"] == "Bearer write"
    assert list(document["_attachments"]) == ["@bench/one-1.0.0.tgz"]
    assert (
        document["versions"]["1.0.0"]["dist"]["tarball"] == "http://127.0.0.1:1/org/@bench/one/-/@bench/one-1.0.0.tgz"
    )


@pytest.mark.parametrize(
    ("versions", "change", "is_there"),
    [
        ({"1.0.0": {}}, b"", True),
        ({"0.9.0": {}}, b"", False),
        ({"1.0.0": {}}, b"x", False),
    ],
    ids=["there", "version lost", "tarball wrong"],
)
def test_an_accepted_publish_is_looked_up(versions, change, is_there):
    """It counts as lost unless packument and tarball are right."""
    publication = Publication("@bench/one", "1.0.0")
    packument = response(json.dumps({"versions": versions}).encode())
    assert publication.is_in(packument, response(publication.tarball + change)) == is_there
    assert not publication.is_in(packument, response(publication.tarball, status=404))
    assert not publication.is_in(response(b"<html>"), response(publication.tarball))
    assert not publication.is_in(None, None)


@pytest.mark.parametrize(("status", "wanted"), [(200, True), (201, True), (409, False), (500, False)])
def test_a_publish_is_accepted_by_its_status(status, wanted):
    """2xx and nothing else."""
    assert is_accepted(response(b"{}", status)) == wanted
    assert not is_accepted(None)


def test_measures_are_chosen_by_group():
    """A quick run leaves out what is not quick; unknown groups are refused."""
    assert {one.group for one in chosen(["tree", "npm"], is_quick=False)} == {"tree", "npm"}
    assert len(chosen([], is_quick=True)) < len(chosen([], is_quick=False)) == len(all_measures())
    assert {one.group for one in chosen([], is_quick=True)} == {one.group for one in all_measures()}
    with pytest.raises(CannotRun, match="no measure heat"):
        chosen(["heat"], is_quick=True)


def test_memory_is_measured_last():
    """After all that could fill it."""
    assert all_measures()[-1].group == "memory"
