"""``nproxy-mw exception``: what the security rules let through, and the requests for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from nproxy_mw.cli.command import Argument, Command, Group, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.specifiers import parse_specifier
from nproxy_mw.cli.stores import ACTOR, ONE_ORG, organization_of
from nproxy_mw.cli.terminal import print_table
from nproxy_mw.cli.values import positive_duration
from nproxy_mw.times import timestamp, utc_now

_TEXT = """\
Exceptions let versions through that a security rule holds, for a reason and until a moment. Developers ask for them
with their API token. A change holds at once, in every running server.

  nproxy-mw exception add axios@1.14.1 --for 7d --reason 'reviewed by ann'
  nproxy-mw exception list
  nproxy-mw exception requests
  nproxy-mw exception approve 3f0c4e6a9b1d2c58 --for 7d
"""
_LIST = """\
Shows the exceptions of an organization. One that has ended lets nothing through, and stays in the settings.

  nproxy-mw exception list
"""
_ADD = """\
Adds an exception for a version, a range or all of a package, from all rules but the block list or from those that are
named. 'nproxy-mw explain' says which rules hold a version.

  nproxy-mw exception add axios@1.14.1 --for 7d --reason 'reviewed by ann'
  nproxy-mw exception add 'axios@^1.14.0' --rule version_age --for 24h --reason 'fixes the build'
"""
_REQUESTS = """\
Shows the requests for exceptions that wait for an answer.

  nproxy-mw exception requests --all         answered ones, too
"""
_APPROVE = """\
Adds the exception that a request is about.

  nproxy-mw exception approve 3f0c4e6a9b1d2c58 --for 7d --comment 'until the next release'
"""
_DENY = """\
Answers that there will be no exception.

  nproxy-mw exception deny 3f0c4e6a9b1d2c58 --comment 'use 1.14.0'
"""


def _list(parsed: Parsed) -> int:
    now = utc_now()
    rows = [
        (
            _subject(one.package, one.versions),
            ",".join(one.rules or ("all",)),
            timestamp(one.expires_at),
            "holds" if now < one.expires_at else "ended",
            one.author,
            one.reason,
        )
        for one in organization_of(parsed).settings.get().exceptions
    ]
    print_table(("PACKAGE", "RULES", "UNTIL", "STATE", "AUTHOR", "REASON"), rows, empty="There are no exceptions.")
    return 0


def _add(parsed: Parsed) -> int:
    name, versions = parse_specifier(parsed.package)
    document: dict[str, Any] = {"package": str(name), "reason": parsed.reason, "expiresAt": _end(parsed)}
    document |= {"versions": [versions]} if versions else {}
    document |= {"rules": list(parsed.rule)} if parsed.rule else {}
    organization_of(parsed).settings.add_exception(document, actor=ACTOR)
    print(f"The rules let {parsed.package} through until {document['expiresAt']}.", file=sys.stderr)
    return 0


def _requests(parsed: Parsed) -> int:
    rows = [
        (
            one.id,
            _subject(one.package, one.versions),
            ",".join(one.rules or ("all",)),
            str(one.state),
            one.requested_by,
            timestamp(one.requested_at),
            one.reason,
        )
        for one in organization_of(parsed).exception_requests.list()
        if parsed.all or one.answer is None
    ]
    titles = ("ID", "PACKAGE", "RULES", "STATE", "BY", "AT", "REASON")
    print_table(titles, rows, empty="There are no requests for exceptions.")
    return 0


def _approve(parsed: Parsed) -> int:
    answer = {"expiresAt": _end(parsed), "comment": parsed.comment}
    approved = organization_of(parsed).exception_requests.approve(parsed.id, answer, actor=ACTOR)
    subject = _subject(approved.package, approved.versions)
    print(f"The rules let {subject} through until {approved.to_document()['expiresAt']}.", file=sys.stderr)
    return 0


def _deny(parsed: Parsed) -> int:
    denied = organization_of(parsed).exception_requests.deny(parsed.id, {"comment": parsed.comment}, actor=ACTOR)
    print(f"The request of {denied.requested_by} for {denied.package} is denied.", file=sys.stderr)
    return 0


def _end(parsed: Parsed) -> str:
    return timestamp(utc_now() + vars(parsed)["for"])


def _subject(package: str, versions: Sequence[str] | None) -> str:
    return f"{package}@{' || '.join(versions)}" if versions else package


_FOR = Option("for", "how long it holds: 12h or 7d", "TIME", parse=positive_duration, required=True, group="exception")
_COMMENT = Option("comment", "what to tell the one who asked", "TEXT", group="exception")
_ID = Argument("id", "ID", "as 'exception requests' shows it")

COMMAND = Group(
    "exception",
    _TEXT,
    (
        Command("list", _list, _LIST, help="show them", options=ONE_ORG),
        Command(
            "add",
            _add,
            _ADD,
            help="add one",
            arguments=(Argument("package", "NAME[@VERSION]", "a package, and perhaps a version or a range"),),
            options=(
                Option("reason", "why it is needed", "TEXT", required=True, group="exception"),
                _FOR,
                Option("rule", "a rule that it is for; repeat it for several", "RULE", many=True, otherwise="all",
                       group="exception"),
                *ONE_ORG,
            ),
        ),
        Command(
            "requests",
            _requests,
            _REQUESTS,
            help="show the requests for exceptions",
            options=(Option("all", "show answered ones, too", group="exception"), *ONE_ORG),
        ),
        Command("approve", _approve, _APPROVE, help="approve a request", arguments=(_ID,),
                options=(_FOR, _COMMENT, *ONE_ORG)),
        Command("deny", _deny, _DENY, help="deny a request", arguments=(_ID,), options=(_COMMENT, *ONE_ORG)),
    ),
)  # fmt: skip
