"""Several sources of intelligence as one."""

from __future__ import annotations

from collections.abc import Sequence

from nproxy_mw.intelligence.port import Alert, Distant, Intelligence, IntelligenceUnavailable
from nproxy_mw.npm.facts import Release


class Combined:
    """Asks every one of *sources*. What one of them knows counts also while another is unavailable."""

    def __init__(self, sources: Sequence[Intelligence]) -> None:
        self.sources = sources

    @property
    def revision(self) -> str:
        """The revisions of all sources together."""
        return "+".join(source.revision for source in self.sources)

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        """Returns the alerts of all sources.

        Raises:
            IntelligenceUnavailable: a source cannot be asked. The error has the alerts of the others.
        """
        found: list[Alert] = []
        missing: list[str] = []
        for source in self.sources:
            try:
                found.extend(source.alerts(name, releases))
            except IntelligenceUnavailable as error:
                found.extend(error.known)
                missing.append(str(error))
        if missing:
            raise IntelligenceUnavailable(" ".join(missing), tuple(found))
        return tuple(found)


def combined(*sources: Intelligence | None) -> Intelligence | None:
    """Returns those of *sources* that are not None as one; None when there is none."""
    found = [source for source in sources if source is not None]
    return Combined(found) if len(found) > 1 else found[0] if found else None


def sources_in(intelligence: Intelligence | None) -> Sequence[Intelligence]:
    """Returns the single sources of *intelligence*."""
    if isinstance(intelligence, Combined):
        return [single for source in intelligence.sources for single in sources_in(source)]
    return [] if intelligence is None else [intelligence]


def learned(intelligence: Intelligence | None, names: Sequence[str], *, of_stranger: bool) -> Intelligence | None:
    """Returns *intelligence* as far as it is known here, after sources on the network were asked about *names*."""
    sources = sources_in(intelligence)
    for source in sources:
        if isinstance(source, Distant):
            source.learn(names, of_stranger=of_stranger)
    return combined(*(source.kept if isinstance(source, Distant) else source for source in sources))


def known_alerts(intelligence: Intelligence | None, package: str, versions: Sequence[str]) -> tuple[Alert, ...]:
    """Returns what is known against *versions*: of a source that cannot be asked, nothing."""
    if intelligence is None:
        return ()
    try:
        return intelligence.alerts(package, [Release(version=version) for version in versions])
    except IntelligenceUnavailable as error:
        return error.known
