"""Refusals: what the server answers by itself."""

from __future__ import annotations

import pytest
from gunicorn.http import errors

from nproxy_mw.cli.worker.refusals import Overloaded, refusal_for


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.LimitRequestLine(1, 2), "414"),
        (errors.LimitRequestHeaders("x"), "431"),
        (errors.ExpectationFailed("x"), "417"),
        (errors.UnsupportedTransferCoding("x"), "501"),
        (errors.InvalidHeader("x"), "400"),
        (errors.InvalidResponseHeader("x"), "500"),
        (Overloaded(), "503"),
    ],
)
def test_status_says_whose_fault_it_is(error, status):
    """And what kind of fault."""
    refusal = refusal_for(error)
    assert refusal.status.split()[0] == status
    assert refusal.is_bug == (status == "500")
