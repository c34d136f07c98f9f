"""Secrets that a deployment file points to: read when they are needed, from a file or from the environment, and never shown.

An error names the file or the variable and not what is in it. A file that anybody on the machine may read is refused: a password that every
account can read is none.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import UnsetType

MOST_BYTES: Final = 64 << 10
"""No password or token is longer."""


class SecretError(Exception):
    """A secret cannot be had; the message says where it was looked for and what would help."""


def secret(file: str | UnsetType, variable: str | UnsetType, folder: Path, environment: Mapping[str, str] | None = None) -> str | None:
    """The secret in a file (its first line; from `folder`, if the path is not absolute) or a variable; None where neither is given.

    Raises `SecretError`.
    """
    if isinstance(file, str):
        return _from_file(folder / file)
    if isinstance(variable, UnsetType):
        return None
    value = (os.environ if environment is None else environment).get(variable, "")
    if not value:
        raise SecretError(f"the variable {variable} of the environment is not set")
    return value


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            open_to = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SecretError(f"{path}: cannot be read: {error.strerror}") from error
    if open_to & 0o007:
        raise SecretError(f"{path}: anybody on this machine may read it; `chmod 600` keeps it")
    try:
        line = data.decode().split("\n", 1)[0].rstrip("\r")
    except UnicodeDecodeError:
        line = ""
    if not line or len(data) > MOST_BYTES:
        raise SecretError(f"{path}: its first line holds no secret")
    return line
