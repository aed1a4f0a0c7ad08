"""The samples of a run: kept in memory, and appended to a file of JSON lines so that an ended run loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.errors import BenchmarkError
from benchmarks.figures import FIGURES, Spread, spread


@dataclass(frozen=True, slots=True)
class Reading:
    """What one measurement found: *values* by keys of `FIGURES`. The main table shows those that *headlines* names."""

    case: str
    headlines: Sequence[str]
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sample(Reading):
    """A reading, with the *group* of its measure, the server and the round (from 0)."""

    group: str
    server: str
    round: int


@dataclass(slots=True)
class Results:
    """Samples in the order in which they were taken, and sentences about what could not be measured."""

    samples: list[Sample] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    file: Path | None = None

    def add(self, sample: Sample) -> None:
        """Stores *sample*, and appends it to the file if there is one."""
        self.samples.append(sample)
        if self.file:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(sample)) + "\n")

    def remark(self, sentence: str) -> bool:
        """Stores a sentence, once. Returns whether it is new."""
        if sentence in self.remarks:
            return False
        self.remarks.append(sentence)
        return True

    @classmethod
    def load(cls, file: Path) -> Self:
        """Returns what `add` wrote to *file*.

        Raises:
            BenchmarkError: a line is not a sample.
        """
        with file.open(encoding="utf-8") as lines:
            return cls([_sample(line) for line in lines])

    def servers(self) -> list[str]:
        """Returns the names of the servers, in the order of their first samples."""
        return list(dict.fromkeys(sample.server for sample in self.samples))

    def rows(self) -> list[tuple[str, str, str]]:
        """Returns each (group, case, headline) once, in the order of the first samples."""
        found = ((one.group, one.case, headline) for one in self.samples for headline in one.headlines)
        return list(dict.fromkeys(found))

    def spread(self, group: str, case: str, server: str, key: str) -> Spread | None:
        """Returns the spread of one figure over all rounds, or None if it was not measured."""
        return _spread(
            sample.values[key]
            for sample in self.samples
            if (sample.group, sample.case, sample.server) == (group, case, server) and key in sample.values
        )


def _spread(values: Iterable[float]) -> Spread | None:
    found = list(values)
    return spread(found) if found else None


def _sample(line: str) -> Sample:
    try:
        sample = Sample(**json.loads(line))
        known = {*sample.headlines, *sample.values} <= FIGURES.keys()
    except (TypeError, ValueError, AttributeError) as error:
        raise BenchmarkError(f"This line is not a sample of a benchmark run: {line[:80]!r}.") from error
    if not known:
        raise BenchmarkError(f"This sample has figures of another version of the benchmarks: {line[:80]!r}.")
    return sample
