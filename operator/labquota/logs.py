"""Logs: one JSON object a line, or plain lines for a person at a terminal.

Every line has `time` (RFC 3339, UTC), `level`, `logger` and `message`; what a caller passes as `extra` stands beside
them under its own name. kopf's and aiohttp's lines go the same way.
"""

import datetime as dt
import logging
import sys
from typing import Literal, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

Format = Literal["json", "text"]

_NOISY = ("aiohttp.access", "asyncio", "kopf", "urllib3")
"""Loggers whose INFO tells an administrator nothing."""

_KOPF = ("k8s_ref", "k8s_skip", "settings")
"""What kopf hangs on its records for itself; whole live objects are among it."""


class _Json(JsonFormatter):
    """Fields in the order in which people read them."""

    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "error"},
            reserved_attrs=[*RESERVED_ATTRS, *_KOPF],
            json_default=str,
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  logging's own name and form
        """Return the record's time."""
        return _time(record)


class _Text(logging.Formatter):
    """A line for a person."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname:<7} {name}: {message}", style="{")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  logging's own name and form
        """Return the record's time."""
        return _time(record)


def setup(level: str = "INFO", form: Format = "json", stream: TextIO | None = None) -> None:
    """Send all logging to one stream.

    Args:
        level: DEBUG, INFO, WARNING or ERROR, in any case.
        form: "json" or "text".
        stream: where to; standard error by default, which is where kubelet looks too.

    Raises:
        ValueError: there is no such level or form.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r}: must be DEBUG, INFO, WARNING or ERROR")
    if form not in ("json", "text"):
        raise ValueError(f"log format {form!r}: must be json or text")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in ("kopf", "aiohttp"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)


def _time(record: logging.LogRecord) -> str:
    when = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
