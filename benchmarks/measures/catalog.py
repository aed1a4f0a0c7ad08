"""All measures, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.errors import CannotRun
from benchmarks.measures import hot, npm
from benchmarks.measures.growth import GROWTH
from benchmarks.measures.many import MANY
from benchmarks.measures.port import Measure
from benchmarks.measures.publish import DISTINCT, SAME
from benchmarks.measures.stampede import STAMPEDE
from benchmarks.measures.startup import MEMORY, START
from benchmarks.measures.tree import TREE


def all_measures() -> list[Measure]:
    """Returns them; the memory after all others comes last."""
    return [START, STAMPEDE, TREE, *hot.measures(), *npm.measures(), DISTINCT, SAME, GROWTH, MANY, MEMORY]


def chosen(groups: Sequence[str], *, is_quick: bool) -> list[Measure]:
    """Returns the measures of these groups, all if there are none; in a quick run only those that are quick.

    Raises:
        CannotRun: a group is not there.
    """
    known = all_measures()
    unknown = set(groups) - {measure.group for measure in known}
    if unknown:
        raise CannotRun(f"There is no measure {', '.join(sorted(unknown))}: python -m benchmarks list shows them.")
    return [one for one in known if (not groups or one.group in groups) and (one.is_quick or not is_quick)]
