"""What a developer reads of a held version."""

from __future__ import annotations

from datetime import timedelta

from support.histories import NOW

from nproxy_mw.rules.decisions import Decision, Finding
from nproxy_mw.rules.sentences import finding_document, held_package, held_version
from nproxy_mw.rules.wording import counted, listed, plain

SOON = NOW + timedelta(hours=5)
YOUNG = Finding("version_age", "it is younger than 48 hours", SOON)
BAD = Finding("malware", "MAL-1 reports this version as malware")


def test_held_version() -> None:
    """Which rule, why, until when, and what to install now."""
    decision = Decision(package="left-pad", allowed=("1.0.0",), blocked={"1.0.1": (YOUNG,)})
    assert held_version(decision, "1.0.1") == (
        "left-pad@1.0.1 is held by this registry's security rules: it is younger than 48 hours (version_age). "
        "It becomes available at 2026-11-26T17:00:00.000Z. Install left-pad@1.0.0 instead."
    )


def test_held_for_good() -> None:
    """A version that one rule holds for good has no time, and there may be nothing else."""
    decision = Decision(package="left-pad", blocked={"1.0.1": (BAD, YOUNG)})
    assert held_version(decision, "1.0.1") == (
        "left-pad@1.0.1 is held by this registry's security rules: MAL-1 reports this version as malware (malware); "
        "it is younger than 48 hours (version_age)."
    )


def test_many_reasons() -> None:
    """A sentence gives three reasons, and counts the others."""
    several = tuple(Finding("vulnerability", f"GHSA-{number} affects it") for number in range(20))
    sentence = held_version(Decision(package="x", blocked={"1.0.0": several}), "1.0.0")
    assert sentence.endswith("GHSA-2 affects it (vulnerability); and 17 more.")


def test_held_package() -> None:
    """A package of which nothing is left names its newest versions by number, the rules, and the first way out."""
    blocked = dict.fromkeys(("1.10.0", "1.9.0", "1.2.0"), (YOUNG,)) | {"1.11.0": (BAD,)}
    assert held_package(Decision(package="left-pad", blocked=blocked)) == (
        "Every version of left-pad is held by this registry's security rules (malware, version_age): "
        "1.11.0: MAL-1 reports this version as malware (malware); 1.10.0: it is younger than 48 hours (version_age); "
        "1.9.0: it is younger than 48 hours (version_age). The first becomes available at 2026-11-26T17:00:00.000Z."
    )
    assert held_package(Decision(package="x", blocked={"1.0.0": (BAD,)})).endswith("as malware (malware).")


def test_finding_document() -> None:
    """A finding as JSON."""
    expected = {"rule": "version_age", "version": "1.0.1", "reason": YOUNG.reason, "until": "2026-11-26T17:00:00.000Z"}
    assert finding_document("1.0.1", YOUNG) == expected
    assert finding_document("1.0.1", BAD)["until"] is None


def test_words() -> None:
    """Names are listed up to three, numbers have their unit, and text from outside is one printable line."""
    assert (listed([]), listed("a"), listed("abc"), listed("abcde")) == ("", "a", "a, b, c", "a, b, c and 2 more")
    assert (counted(1, "day"), counted(7, "days"[:-1])) == ("1 day", "7 days")
    assert plain("a\nb\x00\u202ec", 50) == "a b c"
    assert plain("x" * 60, 50) == "x" * 47 + "..."
