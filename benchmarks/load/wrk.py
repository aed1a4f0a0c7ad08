"""wrk (https://github.com/wg/wrk), which costs so little that nearly the whole machine is left to the server."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.errors import MeasureFailed
from benchmarks.http.client import TIMEOUT
from benchmarks.load.port import Load, Outcome

_MARK = "OUTCOME "
_SCRIPT = f"""\
done = function(all, latency)
  local failed = all.errors
  local errors = failed.connect + failed.read + failed.write + failed.status + failed.timeout
  local form = '{_MARK}{{"requests":%d,"errors":%d,"microseconds":%d,"size":%d,"p50":%d,"p99":%d}}\\n'
  local p50, p99 = latency:percentile(50), latency:percentile(99)
  io.write(form:format(all.requests, errors, all.duration, all.bytes, p50, p99))
end
"""


class Wrk:
    """wrk with one thread. It leaves unfinished requests behind: only for servers that answer quickly."""

    name = "wrk"

    def __init__(self) -> None:
        self._program = shutil.which("wrk")

    @property
    def is_there(self) -> bool:
        """Whether it is installed."""
        return self._program is not None

    def drive(self, load: Load) -> Outcome:
        """Sends *load*, its seconds rounded up to whole ones; see `Generator`."""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(_SCRIPT)
            script.flush()
            command = self._command(load, Path(script.name))
            return outcome(_output(command, load.seconds + TIMEOUT))

    def _command(self, load: Load, script: Path) -> list[str]:
        headers = [part for field in load.request.headers.items() for part in ("--header", ": ".join(field))]
        # wrk takes whole seconds only, and at least one.
        seconds = str(max(1, math.ceil(load.seconds)))
        options = ["--threads", "1", "--connections", str(load.connections), "--duration", seconds, "--latency"]
        url = load.url + load.request.target
        return [str(self._program), *options, "--timeout", "60", "--script", str(script), *headers, url]


def _output(command: list[str], seconds: float) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds).stdout
    except subprocess.TimeoutExpired as error:
        raise MeasureFailed("wrk did not end.") from error


def outcome(output: str) -> Outcome:
    """Returns what wrk printed.

    Raises:
        MeasureFailed: it printed no outcome, or one without a response.
    """
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise MeasureFailed("wrk measured nothing.")
    found: dict[str, Any] = json.loads(line.removeprefix(_MARK))
    if not found["requests"]:
        raise MeasureFailed("The server answered none of wrk's requests.")
    latencies = found["p50"] / 1000, found["p99"] / 1000
    return Outcome(found["requests"], found["errors"], found["microseconds"] / 1e6, found["size"], *latencies)
