"""Signing keys: the list, their files, and a rotation."""

from __future__ import annotations

import orjson

from nproxy_mw.errors import Conflict, StorageUnavailable
from nproxy_mw.middleware.dashboard.answers import Answer, Download, Page, Redirect
from nproxy_mw.middleware.dashboard.request import PageRequest


def show(request: PageRequest) -> Answer:
    """Returns the public keys, newest first."""
    return _list(request)


def download(request: PageRequest) -> Answer:
    """Returns the public keys as npm reads them."""
    document = {"keys": request.organization.keys.public_keys()}
    return Download(f"{request.parts['org']}-keys.json", "application/json", orjson.dumps(document))


def rotate(request: PageRequest) -> Answer:
    """Makes new keys when the organization's id was written as asked."""
    if request.form.text("confirm") != request.parts["org"]:
        return _list(request, "That is not the id of this organization: the keys stay as they are.")
    try:
        request.organization.keys.rotate(actor=request.actor)
    except (Conflict, StorageUnavailable) as error:
        return _list(request, error.message)
    return Redirect(request.here("keys"), "key-rotated")


def _list(request: PageRequest, problem: str = "") -> Page:
    values = {"keys": request.organization.keys.public_keys()[:200], "problem": problem}
    return Page("keys.html", "Signing keys", values, 400 if problem else 200)
