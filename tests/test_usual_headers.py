"""Headers that are read without werkzeug mean what werkzeug says that they mean."""

from __future__ import annotations

import subprocess
import sys

import pytest
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_etags

from nproxy_mw.http.messages import ABBREVIATED, JSON
from nproxy_mw.http.negotiation import accepts_gzip, etag_matches, form_wanted
from nproxy_mw.npm.forms import Form

NPM = f"{ABBREVIATED}; q=1.0, {JSON}; q=0.8, */*"
SCRIPT = f"""
import sys
from nproxy_mw.http.negotiation import accepts_gzip, cookie, etag_matches, form_wanted
from nproxy_mw.npm.forms import Form
environ = {{
    "HTTP_ACCEPT": {NPM!r},
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
    "HTTP_IF_NONE_MATCH": 'W/"old"',
    "HTTP_COOKIE": "of=another",
}}
assert form_wanted(environ, slim=False) is Form.ABBREVIATED
assert accepts_gzip(environ) and not etag_matches(environ, '"new"') and not cookie(environ, "ours")
sys.exit("werkzeug" in sys.modules)
"""


@pytest.mark.parametrize(
    "accept",
    [
        "gzip",
        "gzip,deflate",
        "gzip, deflate, br",
        "GZIP, gzip",
        "br, *",
        "x-gzip",
        "x-gzip, *",
        "gzipped,gzip",
        " gzip ",
    ],
)
def test_encodings_without_parameters(accept: str) -> None:
    """Those that clients send, and some that look alike."""
    expected = "gzip" in accept and float(parse_accept_header(accept)["gzip"]) > 0
    assert accepts_gzip({"HTTP_ACCEPT_ENCODING": accept}) == expected


@pytest.mark.parametrize("accept", [ABBREVIATED, NPM])
def test_usual_forms(accept: str) -> None:
    """Installers want the abbreviated form."""
    assert parse_accept_header(accept, MIMEAccept).best_match([JSON, ABBREVIATED]) == ABBREVIATED
    assert form_wanted({"HTTP_ACCEPT": accept}, slim=False) is Form.ABBREVIATED


@pytest.mark.parametrize("condition", ['"a"', 'W/"a"', 'w/"a"', '"b"', 'W/"b"', '""', '"a", "b"', "*", "a", '"a', 'a"'])
def test_conditions(condition: str) -> None:
    """One ETag, with or without its W, several, and what is none."""
    assert etag_matches({"HTTP_IF_NONE_MATCH": condition}, '"a"') == parse_etags(condition).contains_weak("a")


def test_clients_of_npm_need_no_werkzeug() -> None:
    """It is imported for what they do not send."""
    subprocess.run([sys.executable, "-c", SCRIPT], timeout=60, check=True)
