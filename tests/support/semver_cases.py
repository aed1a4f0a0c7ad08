"""Ranges and versions made by chance, the same on every run, and what npm's own semver package says of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from support.programs import npm_command

READINGS = [(loose, include_prerelease) for loose in (False, True) for include_prerelease in (False, True)]

# For each range and each reading: validRange, and satisfies of its versions as a string of 0 and 1.
# For all versions: what parse makes of them, strictly and loosely, and those that parse loosely, in order.
ASK = """
const semver = require(process.argv[1])
const {cases, versions, readings} = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const parsed = (text, loose) => {
  const found = semver.parse(text, {loose})
  return found && [found.version, found.build.join('.')]
}
const attempt = ask => { try { return ask() } catch { return '?' } }
const asked = ([range, ...candidates]) => readings.map(([loose, includePrerelease]) => {
  const options = {loose, includePrerelease}
  const satisfies = version => attempt(() => semver.satisfies(version, range, options) ? '1' : '0')
  const bits = candidates.map(satisfies).join('')
  return [semver.validRange(range, options), bits]
})
process.stdout.write(JSON.stringify({
  ranges: cases.map(asked),
  parsed: versions.map(text => [parsed(text, false), parsed(text, true)]),
  sorted: versions.filter(text => semver.valid(text, true)).sort((a, b) => semver.compare(a, b, true)),
}))
"""

NUMBERS = ["0", "0", "1", "1", "2", "2", "3", "10"]
HUGE = [
    "9007199254740990", "9007199254740991", "9007199254740992", "999999999999999934463", "999999999999999934464",
    "1000000000000000000000", "9" * 256, "9" * 257,
]  # fmt: skip
IDENTIFIERS = ["0", "1", "2", "10", "a", "b", "alpha", "beta", "rc", "x", "-", "--", "a-b", "0a", "rc1"]
ODD_IDENTIFIERS = ["01", "00", "", "9007199254740991", "9007199254740993", "a_b", "z" * 251, "z" * 252, "é"]
SPACES = ["", "", "", "", "", "", " ", " ", "  ", "\t", "\n", "\u00a0", "\ufeff", "\x1c", "\x85"]
OPERATORS = ["", "", "", "=", "<", "<=", ">", ">=", "~", "~>", "^", "^"]
ODD_OPERATORS = ["==", "=>", "!=", "~=", "^=", "~ >", "> =", "><", "^^", "<<", "v", "vv", "=v", "v=", "-"]
ALPHABET = "00112233..--++vx*~^<>= ||ab\t"
SCRAPS = [
    "1.2.3", "0.0.1", "1.2", "1", " - ", " ", "||", "^", "~", ">", "<", "=", "v", "-a", "+b", "x", "*", ".", "beta",
    "\u2003",
]  # fmt: skip


class Maker:
    """Makes texts by the grammar of ranges; every so often it leaves the grammar."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def rarely(self, share: float = 0.03) -> bool:
        return self.random.random() < share

    def number(self) -> str:
        if self.rarely(0.02):
            return self.random.choice(HUGE)
        return ("0" if self.rarely(0.05) else "") + self.random.choice(NUMBERS)

    def identifier(self) -> str:
        return self.random.choice(ODD_IDENTIFIERS if self.rarely(0.05) else IDENTIFIERS)

    def dotted(self) -> str:
        return ".".join(self.identifier() for _ in range(self.random.choice([1, 1, 2, 2, 3])))

    def tail(self, share: float) -> str:
        text = self.random.choice(["-", "-", "-", "-", "-", "-", ""]) + self.dotted() if self.rarely(share) else ""
        return text + ("+" + self.dotted() if self.rarely(0.06) else "")

    def version(self) -> str:
        prefix = self.random.choice(["v", "=", "=v", "v =", " "]) if self.rarely(0.08) else ""
        numbers = [self.number() for _ in range(self.random.choice([2, 4]) if self.rarely(0.02) else 3)]
        return self.bent(prefix + ".".join(numbers) + self.tail(0.5), 0.03)

    def partial(self) -> str:
        parts = [self.number() for _ in range(self.random.choice([1, 2, 3, 3, 3, 3, 3]))]
        if self.rarely(0.2):
            wild = self.random.randrange(len(parts))
            parts[wild:] = [self.random.choice("xX*") for _ in parts[wild:]]
            if self.rarely(0.1):
                parts[-1] = self.number()
        return ("v" if self.rarely() else "") + ".".join(parts) + (self.tail(0.35) if len(parts) == 3 else "")

    def term(self) -> str:
        if self.rarely():
            return self.random.choice(["*", "x", "X", "", "latest", "<0.0.0-0", ">=0.0.0", ">=0.0.0-0", "^", "~", ">"])
        operator = self.random.choice(ODD_OPERATORS if self.rarely(0.05) else OPERATORS)
        return operator + self.random.choice(SPACES) + self.partial()

    def alternative(self) -> str:
        if self.rarely(0.15):
            return f"{self.partial()} - {self.partial()}"
        return (self.random.choice(SPACES) or " ").join(
            self.term() for _ in range(self.random.choice([1, 1, 1, 2, 2, 3]))
        )

    def scraps(self) -> str:
        return "".join(self.random.choice(SCRAPS) for _ in range(self.random.randrange(1, 8)))

    def range(self) -> str:
        if self.rarely(0.25):
            return self.scraps()
        bar = self.random.choice(["||", " || ", " || ", "|| ", "||||", " |"])
        return self.bent(bar.join(self.alternative() for _ in range(self.random.choice([1, 1, 1, 1, 2, 3]))), 0.15)

    def bent(self, text: str, share: float) -> str:
        while self.rarely(share):
            place = self.random.randrange(len(text) + 1)
            put = self.random.choice(["", *ALPHABET])
            text = text[:place] + put + text[place + self.random.randrange(2) :]
        return text


@dataclass(frozen=True)
class Cases:
    """*versions*, and each range with those of them it is asked about."""

    versions: Sequence[str]
    cases: Sequence[Sequence[str]]


def make_cases(ranges: int, versions: int, each: int, seed: int = 7) -> Cases:
    maker = Maker(seed)
    made = list(dict.fromkeys(maker.version() for _ in range(versions)))
    return Cases(made, [[maker.range(), *maker.random.sample(made, each)] for _ in range(ranges)])


def npm_semver() -> tuple[str, Path] | None:
    """Node, and the semver package inside npm."""
    command = npm_command()
    if command is None:
        return None
    node = command[0] if len(command) > 1 else shutil.which("node")
    package = Path(command[-1]).resolve().parent.parent / "node_modules" / "semver"
    return (node, package) if node and package.is_dir() else None


def release_of(package: Path) -> tuple[int, ...]:
    version: str = json.loads((package / "package.json").read_text())["version"]
    return tuple(map(int, version.split(".")))


def ask_npm(node: str, package: Path, cases: Cases) -> dict[str, Any]:
    question = json.dumps({"cases": cases.cases, "versions": cases.versions, "readings": READINGS})
    done = subprocess.run(
        [node, "-e", ASK, str(package)], input=question, capture_output=True, text=True, timeout=120, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
