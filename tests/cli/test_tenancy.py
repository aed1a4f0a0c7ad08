"""serve --orgs: how it is said."""

from __future__ import annotations

import pytest

from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.tenancy import check_domain, parse_orgs
from nproxy_mw.middleware.tenants import ByHost, ByPath, FixedOrg


@pytest.mark.parametrize(
    ("text", "expected"),
    [("fixed:acme", FixedOrg("acme")), ("host:registry.example", ByHost("registry.example")), ("path", ByPath())],
)
def test_orgs_is_one_of_three(text, expected):
    """fixed, host and path."""
    assert parse_orgs(text) == expected


@pytest.mark.parametrize(
    "text", ["", "acme", "fixed:", "fixed:Acme", "host:", "host:https://x", "path:", "path:x", "x:y"]
)
def test_other_orgs_are_refused(text):
    """With the forms that are meant."""
    with pytest.raises(ValueError, match=r"is not (fixed:ID, )?host:DOMAIN"):
        parse_orgs(text)


@pytest.mark.parametrize("url", ["https://npm.example", "https://registry.example/npm"])
def test_public_url_fits_the_domain(url):
    """Organizations by host have their URLs below one domain, without a path; others have any."""
    resolve = ByHost("registry.example")
    check_domain(resolve, "https://registry.example:8443")
    check_domain(resolve, None)
    check_domain(ByPath(), url)
    with pytest.raises(UsageError, match=r"--public-url as https://registry\.example"):
        check_domain(resolve, url)
