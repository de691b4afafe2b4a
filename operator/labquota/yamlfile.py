"""Settings that an administrator writes as a YAML file: what is wrong with one is one line that says what and where."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

Settings = TypeVar("Settings")
File = TypeVar("File", bound=msgspec.Struct)


def load(path: str, default: Settings, read: Callable[[str], Settings], error: type[ValueError]) -> Settings:
    """Read a file of settings.

    Args:
        path: The file; empty for the default.
        default: What holds without a file.
        read: Reads its text.
        error: What it raises, and what is raised here with the path before it.
    """
    if not path:
        return default
    try:
        return read(Path(path).read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}") from problem
    except (UnicodeDecodeError, error) as problem:
        raise error(f"{path}: {problem}") from problem


def parse(text: str, shape: type[File], error: type[ValueError]) -> File:
    """Read a YAML document of one shape; an empty one has its defaults."""
    try:
        document: Any = yaml.safe_load(text)
        return msgspec.convert(document if document is not None else {}, shape)
    except yaml.YAMLError as problem:
        raise error(f"no YAML: {' '.join(str(problem).split())}") from problem
    except msgspec.ValidationError as problem:
        raise error(str(problem)) from problem
