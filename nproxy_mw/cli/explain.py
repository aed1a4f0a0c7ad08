"""``nproxy-mw explain``: why a version of an upstream package is allowed or held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nproxy_mw.cli.command import Argument, Command, Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.specifiers import parse_specifier
from nproxy_mw.cli.stores import organization_of
from nproxy_mw.cli.terminal import plain, print_json, print_table
from nproxy_mw.cli.upstreams import OF_RULES, firewall_of
from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.ranges import parse_range
from nproxy_mw.npm.versions import parse_loose

_TEXT = """\
Says what each security rule makes of a package of the upstream, or of one version of it. The exit code is 1 when that
version is held.

  nproxy-mw explain express                     its newest versions, and where its tags point
  nproxy-mw explain express@4.19.0              one version, rule by rule
  nproxy-mw explain express@latest --json       all that is known, as JSON
  nproxy-mw explain express@4.19.0 --offline    from what the server has kept, without asking the upstream
  nproxy-mw explain express --cache none --upstream https://upstream.example

Give it the options of the server, best as the same configuration file: the answer depends on the organization's
settings, on the upstream, and on what is known of vulnerabilities (--osv, --blocklist).
"""


def _run(parsed: Parsed) -> int:
    name, version = parse_specifier(parsed.package)
    if _is_range(version):
        raise UsageError(f"{version!r} is a range: name one version or dist-tag, or the package alone.")
    organization = organization_of(parsed)
    if name.scope in organization.settings.get().internal_scopes:
        raise UsageError(f"{name} is internal: no rule is about it.")
    found = firewall_of(parsed, organization).explain(name, version)
    if parsed.json:
        print_json(found)
    elif version:
        _print_version(found)
    else:
        _print_package(found)
    return 1 if found.get("verdict") == "held" else 0


def _is_range(text: str) -> bool:
    if not text or parse_loose(text) is not None:
        return False
    try:
        return bool(parse_range(text))
    except BadRequest:
        return False


def _print_version(found: Any) -> None:
    print(plain(f"{found['package']}@{found['version']} is {_state(found)}."))
    if found["verdict"] == "absent":
        return
    if found["instead"]:
        print(plain(f"Install {found['package']}@{found['instead']} instead."))
    if found["known"]["alerts"] != "all":
        print("Not all that is known of malware and vulnerabilities could be asked for: see the rules.")
    if found["known"]["score"] is not None:
        print(f"The package scores {found['known']['score']:.2f} of 1.")
    rows = [(rule["rule"], rule["mode"], *_word(rule)) for rule in found["rules"]]
    print_table(("RULE", "MODE", "FLAGS", "WHY"), rows, empty="There are no rules.")


def _print_package(found: Any) -> None:
    rows = [
        (one["version"], one["verdict"], one["availableFrom"] or "", ",".join(one["rules"]), ",".join(tags))
        for one in found["versions"]
        for tags in [[tag for tag, version in found["tags"].items() if version == one["version"]]]
    ]
    print_table(("VERSION", "VERDICT", "AVAILABLE", "RULES", "TAGS"), rows, empty="It has no versions.")


def _state(found: Any) -> str:
    if found["verdict"] == "absent":
        listed = f"'nproxy-mw explain {found['package']}' shows those that there are"
        return f"not there: the upstream has no such version or dist-tag; {listed}"
    ends = [rule["exceptionUntil"] for rule in found["rules"] if rule["flags"] and rule["exceptionUntil"]]
    if found["verdict"] == "excepted" and ends:
        return f"allowed by an exception until {min(ends)}"
    until = found["availableFrom"]
    return f"{found['verdict']} until {until}" if until else str(found["verdict"])


def _word(rule: Any) -> Iterator[str]:
    reasons = [*rule["reasons"], *(f"cannot tell: {reason}" for reason in rule["cannotTell"])]
    if rule["flags"] and rule["exceptionUntil"]:
        reasons.append(f"an exception lets it through until {rule['exceptionUntil']}")
    yield "yes" if rule["flags"] else "no"
    yield "; ".join(reasons)


COMMAND = Command(
    "explain",
    _run,
    _TEXT,
    arguments=(Argument("package", "NAME[@VERSION]", "a package, and perhaps one version or tag"),),
    options=(Option("json", "print JSON", group="explain"), *OF_RULES),
)
