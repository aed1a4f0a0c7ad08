"""Accounts on registries that anybody may join."""

from __future__ import annotations

import json
import secrets
import time

from benchmarks.errors import MeasureFailed
from benchmarks.http.crowd import ask
from benchmarks.http.messages import Request


def new_token(url: str) -> str:
    """Makes a user as ``npm adduser`` does, and returns the token.

    Raises:
        MeasureFailed: the registry lets nobody in.
    """
    user = f"bench{time.time_ns()}"
    document = {
        "_id": f"org.couchdb.user:{user}",
        "name": user,
        "password": secrets.token_hex(),
        "type": "user",
        "roles": [],
        "date": "2020-01-01T00:00:00.000Z",
    }
    headers = {"content-type": "application/json", "accept": "application/json"}
    body = json.dumps(document).encode()
    response = ask(url, Request(f"/-/user/org.couchdb.user:{user}", headers, "PUT", body))
    try:
        return str(json.loads(response.body)["token"])
    except (ValueError, KeyError, TypeError) as error:
        raise MeasureFailed(f"The registry made no user: status {response.status}.") from error
