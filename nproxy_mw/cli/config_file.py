"""The configuration file: TOML, whose keys are the names of options."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

MAX_SIZE = 64 * 1024  # bytes


class ConfigFile(Struct, frozen=True):
    """What a file says: text, numbers, truth values, and lists of text, by the names of options."""

    path: Path
    values: Mapping[str, Any]


def read_config(path: Path, known: Collection[str]) -> ConfigFile:
    """Reads the file at *path*, whose keys must be among *known*.

    Raises:
        ValueError: it cannot be read, is not TOML, or has a key that is not known or a value of a kind that no option
            has. The message is a sentence.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise ValueError(f"The configuration file {path} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_SIZE:
        raise ValueError(f"The configuration file {path} is larger than {MAX_SIZE // 1024} KiB.")
    import tomllib  # most starts read no file

    try:
        values = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"The configuration file {path} is not TOML: {error}.") from error
    for key, value in values.items():
        _check(path, key, value, known)
    return ConfigFile(path, values)


def _check(path: Path, key: str, value: Any, known: Collection[str]) -> None:
    if key not in known:
        import difflib  # here because nobody should get here

        close = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"the keys are {', '.join(sorted(known))}."
        raise ValueError(f"There is no key {key[:40]!r} in a configuration file ({path}): {hint}")
    plain = (str, int, float, bool)
    if not (isinstance(value, plain) or (isinstance(value, list) and all(isinstance(one, str) for one in value))):
        raise ValueError(f"{key} in {path} must be text, a number, true or false, or a list of text.")
