"""The tables of a run in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.figures import FIGURES, Spread, advantage, short
from benchmarks.results import Results


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table. Texts keep their meaning: a ``|`` in one is escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Who is compared: *servers* are the columns; *floors* names, for a server, the one that costs the least it can."""

    servers: Sequence[str]
    reference: str
    floors: Mapping[str, str]


def main_table(results: Results, compared: Comparison) -> str:
    """Returns medians: a row for each case, a column for each server.

    After a value stands in parentheses how many times better it is than that of the reference, and, for CPU per
    request, what it adds to that of the server's floor.
    """
    rows = [
        [
            f"{group}: {case}",
            _unit(key),
            *(_cell(results, (group, case), key, one, compared) for one in compared.servers),
        ]
        for group, case, key in results.rows()
    ]
    return table(["measure", "figure", *compared.servers], rows)


def details(results: Results, group: str) -> str:
    """Returns everything that was measured in *group*: medians, and in parentheses the smallest and largest value."""
    samples = [sample for sample in results.samples if sample.group == group]
    used = {key for sample in samples for key in sample.values}
    keys = [key for key in FIGURES if key in used]
    pairs = dict.fromkeys((sample.case, sample.server) for sample in samples)
    rows = [
        [case, server, *(_spread(results.spread(group, case, server, key)) for key in keys)] for case, server in pairs
    ]
    return table(["case", "server", *(_unit(key) for key in keys)], rows)


def _cell(results: Results, row: tuple[str, str], key: str, server: str, compared: Comparison) -> str:
    own = results.spread(*row, server, key)
    if own is None:
        return "-"
    reference = None if server == compared.reference else results.spread(*row, compared.reference, key)
    floor = results.spread(*row, compared.floors.get(server, ""), key)
    notes = [*_ratio(key, own, reference), *_addition(key, own, floor)]
    return short(own.median) + (f" ({', '.join(notes)})" if notes else "")


def _ratio(key: str, own: Spread, other: Spread | None) -> list[str]:
    found = advantage(FIGURES[key], own.median, other.median) if other else None
    return [f"{short(found)}×"] if found else []


def _addition(key: str, own: Spread, floor: Spread | None) -> list[str]:
    if key != "cpu_us" or floor is None:
        return []
    added = own.median - floor.median
    return [f"{'+' if added >= 0 else '-'}{short(abs(added))}"]


def _spread(found: Spread | None) -> str:
    if found is None:
        return "-"
    if found.low == found.high:
        return short(found.median)
    return f"{short(found.median)} ({short(found.low)} to {short(found.high)})"


def _unit(key: str) -> str:
    figure = FIGURES[key]
    return f"{figure.title}, {figure.unit}" if figure.unit else figure.title
