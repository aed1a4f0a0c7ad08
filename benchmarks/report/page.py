"""The page: what was compared, on what, the tables and the pictures; and the same results as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.figures import FIGURES, short
from benchmarks.report.bars import Bar, Bars, draw
from benchmarks.report.tables import Comparison, details, main_table, table
from benchmarks.results import Results
from benchmarks.servers.catalog import FLOORS, REFERENCE

PAGE = "benchmarks.md"
FOLDER = "benchmarks"
"""Pictures and data lie here, next to the page."""

TITLES = {
    "start": "Start-up",
    "stampede": "Stampede",
    "tree": "A whole tree",
    "hot": "Hot reads",
    "npm": "npm itself",
    "publish": "Publishing",
    "growth": "Growth",
    "many": "Many packages",
    "memory": "Memory",
}
SAMPLES, ABOUT = "samples.jsonl", "about.json"

_INTRODUCTION = """\
# Benchmarks

nproxy_mw next to other servers, on one corpus, in one run, in alternating rounds. Make your own figures from a clone of
the repository, on Linux, with the packages of the `test` extra installed:

```console
$ python -m benchmarks run --quick               # three minutes
$ python -m benchmarks run --out docs            # everything; writes this page
$ python -m benchmarks run --peer other='other --port {port} --upstream {upstream} --data {storage}'
```

- **CPU first.** Load and servers share one machine, so rates depend on both. CPU per request hardly does: it is the
  time that the clocks of the server's own processes show.
- **direct** is the replaying upstream itself, **bare-** servers reply with as many bytes and do nothing else, and
  **nginx-cache** is a cache that neither checks nor rewrites what it serves. They are limits.
- **nproxy-mw-** servers run as they come: authentication, three organizations, two processes, publishes on the disk
  before they are answered. **verdaccio** runs in one process with its default configuration, anonymous reads, and
  JSON web tokens (with its default tokens, each authenticated request costs a bcrypt check).
- Every answer of a whole tree is checked, and every accepted publish is looked up. Wrong and lost ones are counted.
"""
_LEGEND = f"""\
Medians. In parentheses: how many times better than {REFERENCE} (×), and for CPU per request what is added to the bare
server of the same kind (+).
"""


@dataclass(frozen=True, slots=True)
class About:
    """What a reader must know: *facts* of the machine by title, and the *servers* by name, with their versions."""

    facts: Mapping[str, str]
    servers: Mapping[str, str]


def write(out: Path, results: Results, about: About) -> Path:
    """Writes the page, its pictures and its data below *out*, and returns the page's path."""
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    stored = {"about": asdict(about), "remarks": results.remarks}
    (folder / ABOUT).write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    pictures = [_picture(folder, results, group, key) for group, key in _charts(results)]
    page = out / PAGE
    page.write_text(_page(results, about, pictures), encoding="utf-8")
    return page


def read(out: Path) -> tuple[Results, About]:
    """Returns the results and the facts that an earlier run left below *out*.

    Raises:
        OSError: there are none.
        BenchmarkError: they are of another version.
    """
    folder = out / FOLDER
    results = Results.load(folder / SAMPLES)
    stored = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    results.remarks = stored["remarks"]
    return results, About(**stored["about"])


def _page(results: Results, about: About, pictures: list[str]) -> str:
    found = results.servers()
    compared = Comparison([name for name in about.servers if name in found], REFERENCE, FLOORS)
    sections = [
        _INTRODUCTION,
        table(["run", ""], {**about.facts, **about.servers}.items()),
        "\n## Results\n",
        _LEGEND,
        main_table(results, compared),
        *_remarks(results),
        "\n## Pictures\n",
        "\n\n".join(pictures),
        "\n## Everything that was measured\n",
        "Medians, and in parentheses the smallest and the largest value of all rounds.",
        *(f"\n### {TITLES[group]}\n\n{details(results, group)}" for group in _groups(results)),
    ]
    return "\n".join(sections) + "\n"


def _remarks(results: Results) -> list[str]:
    if not results.remarks:
        return []
    return ["\nWhat went differently:\n", "\n".join(f"- {sentence}" for sentence in results.remarks)]


def _groups(results: Results) -> list[str]:
    return list(dict.fromkeys(group for group, _, _ in results.rows()))


def _charts(results: Results) -> list[tuple[str, str]]:
    return list(dict.fromkeys((group, key) for group, _, key in results.rows()))


def _picture(folder: Path, results: Results, group: str, key: str) -> str:
    """Draws one figure of a group for all servers. Returns the Markdown that shows it."""
    title = f"{TITLES[group]}: {FIGURES[key].title}"
    cases = [case for one, case, headline in results.rows() if (one, headline) == (group, key)]
    bars = [Bars(case, _bars(results, group, case, key)) for case in cases]
    file = f"{group}-{key.replace('_', '-')}.svg"
    (folder / file).write_text(draw(title, [one for one in bars if one.bars]), encoding="utf-8")
    return f"![{title}, for each server. The table of results has the same figures.]({FOLDER}/{file})"


def _bars(results: Results, group: str, case: str, key: str) -> list[Bar]:
    found = {server: results.spread(group, case, server, key) for server in results.servers()}
    unit = f" {FIGURES[key].unit}".rstrip()
    return [Bar(name, one.median, short(one.median) + unit, name in FLOORS) for name, one in found.items() if one]
