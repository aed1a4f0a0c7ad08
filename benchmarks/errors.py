"""Everything the benchmarks raise on purpose. Messages are whole sentences: the program prints them as they are."""


class BenchmarkError(Exception):
    """The base of all others."""


class CannotRun(BenchmarkError):
    """Something that a server, a measure or the whole run needs is missing on this machine."""


class MeasureFailed(BenchmarkError):
    """One measurement gave no figure that could be trusted. The run goes on without it."""
