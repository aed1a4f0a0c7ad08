"""Upstreams in a mood: slow ones, flaky ones, and ones that lie."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nproxy_mw.testing.upstream import Recorded, RecordingUpstream, Reply

Mood = Callable[[Recorded, Reply], Reply]
Lie = Callable[[Reply], Reply]


class MoodyUpstream(RecordingUpstream):
    """An upstream whose *mood* has the last word on each reply."""

    def __init__(self, mood: Mood | None = None, **how: Any) -> None:
        super().__init__(**how)
        self.mood: Mood | None = mood

    def answer(self, request: Recorded) -> Reply:
        reply = super().answer(request)
        return self.mood(request, reply) if self.mood else reply


def slow(seconds: float) -> Mood:
    """Each reply comes late."""

    def mood(request: Recorded, reply: Reply) -> Reply:
        time.sleep(seconds)  # what is tested
        return reply

    return mood


def flaky(every: int) -> Mood:
    """Every so many replies, one is a 503, cut in the middle, or a reset, in turns."""
    number, kinds = itertools.count(1), itertools.cycle([unavailable, cut, reset])

    def mood(request: Recorded, reply: Reply) -> Reply:
        return next(kinds)(reply) if next(number) % every == 0 else reply

    return mood


def unavailable(reply: Reply) -> Reply:
    return Reply(503, b"<html>busy</html>", {"Content-Type": "text/html"})


def cut(reply: Reply) -> Reply:
    return replace(reply, cut=len(reply.body) // 2)


def reset(reply: Reply) -> Reply:
    return Reply(reset=True)


def each_as(lie: Lie) -> Mood:
    """Everything is a little wrong."""
    return lambda request, reply: lie(reply)


def lying_about(path: str, lie: Lie) -> Mood:
    """One thing is never what it should be."""
    return lambda request, reply: lie(reply) if request.path == path else reply


def wrong_bytes(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[:-9] + bytes(9))


def too_long(reply: Reply) -> Reply:
    """A length beyond the body, which ends with the connection."""
    return replace(reply, headers=_plain(reply, Content_Length=str(len(reply.body) + 10)), cut=len(reply.body))


def too_short(reply: Reply) -> Reply:
    """A length within the body."""
    return replace(reply, headers=_plain(reply, Content_Length=str(len(reply.body) - 10)))


def truncated_gzip(reply: Reply) -> Reply:
    """A gzip that ends too early, with the right length."""
    body = gzip.compress(reply.body)[:-20]
    return replace(reply, body=body, headers=_plain(reply, Content_Encoding="gzip"))


def web_page(reply: Reply) -> Reply:
    """A login page with status 200, as captive portals have it."""
    return Reply(200, b"<html>log in</html>", {"Content-Type": "text/html"})


def wrong_type(reply: Reply) -> Reply:
    """The right bytes under another name."""
    return replace(reply, headers=_with(reply, Content_Type="application/x-whatever"))


def other_name(reply: Reply) -> Reply:
    """The packument of another package."""
    return _changed(reply, lambda packument: {**packument, "name": "another"})


def wrong_integrity(reply: Reply) -> Reply:
    """A packument that promises other bytes than the tarball has."""

    def change(packument: dict[str, Any]) -> dict[str, Any]:
        for manifest in packument["versions"].values():
            manifest["dist"] |= {"integrity": "sha512-" + "A" * 86 + "==", "shasum": "0" * 40}
        return packument

    return _changed(reply, change)


def _changed(reply: Reply, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Reply:
    return replace(reply, body=json.dumps(change(json.loads(reply.body))).encode(), headers=_with(reply, ETag='"lie"'))


def _plain(reply: Reply, **headers: str) -> Mapping[str, str]:
    """Headers of a body that the stand-in does not compress."""
    return _with(reply, Content_Type="application/octet-stream", **headers)


def _with(reply: Reply, **headers: str) -> Mapping[str, str]:
    return {**reply.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
