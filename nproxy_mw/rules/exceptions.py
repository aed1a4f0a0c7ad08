"""Exceptions from the security rules, as the settings hold them: for one package, with a reason and an end. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.versions import parse_version
from nproxy_mw.rules.catalog import RULES, shown
from nproxy_mw.times import timestamp

MAX_EXCEPTIONS = 1000
MAX_TEXT = 500  # characters of a reason, and of an author


def check_exceptions(
    current: tuple[Json, ...], wish: Any, fields: dict[str, str], author: str, now: datetime
) -> tuple[Json, ...]:
    """Answers the exceptions of *wish*, each with its author; what will not do is told in *fields*.

    One that stands already may be sent back with the others, also when it has expired meanwhile.
    """
    if not isinstance(wish, list) or len(wish) > MAX_EXCEPTIONS:
        fields["exceptions"] = f"This is a list of at most {MAX_EXCEPTIONS} exceptions."
        return current
    checked: list[Json] = []
    for place, exception in enumerate(wish):
        if exception in current:
            checked.append(exception)
            continue
        problems = _problems_of(exception, now)
        fields.update({f"exceptions[{place}]{path}": problem for path, problem in problems.items()})
        if not problems:
            expires = timestamp(datetime.fromisoformat(exception["expiresAt"]))
            checked.append({**exception, "author": exception.get("author") or author, "expiresAt": expires})
    return tuple(checked)


def _problems_of(exception: Any, now: datetime) -> dict[str, str]:
    if not isinstance(exception, dict):
        return {"": "This is an object with package, reason and expiresAt, and perhaps versions and rules."}
    problems = {
        f".{shown(key)}": f"An exception has {', '.join(_EXCEPTION)}." for key in exception if key not in _EXCEPTION
    }
    for key, (fits, sentence) in _EXCEPTION.items():
        if not fits(exception.get(key)):
            problems[f".{key}"] = sentence
    if ".expiresAt" not in problems and datetime.fromisoformat(exception["expiresAt"]) <= now:
        problems[".expiresAt"] = "This lies in the past."
    return problems


def _is_package(value: Any) -> bool:
    return isinstance(value, str) and _parses(parse_name, value)


def _are_versions(value: Any) -> bool:
    return value is None or (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(version, str) and _parses(parse_version, version) for version in value)
    )


def _are_rules(value: Any) -> bool:
    return value is None or (
        isinstance(value, list) and bool(value) and all(isinstance(rule, str) and rule in RULES for rule in value)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= MAX_TEXT and value.isprintable()


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and _parses(_utc, value)


def _utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or not 1 < time.year < 9999:  # the edges have no time in every zone
        raise ValueError("a time needs its zone")
    return time


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:  # `BadRequest` is one
        return False
    return True


_EXCEPTION: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "package": (_is_package, "This is a package's name."),
    "versions": (_are_versions, "This is a list of exact versions; left out, it is all of them."),
    "rules": (_are_rules, f"This is a list of rules, of {', '.join(RULES)}; left out, it is all of them."),
    "reason": (_is_text, f"This says why, in 1 to {MAX_TEXT} printable characters."),
    "author": (lambda value: value is None or _is_text(value), "This is a name; left out, it is yours."),
    "expiresAt": (_is_time, "This is a time with its zone, such as 2027-01-31T00:00:00Z."),
}
