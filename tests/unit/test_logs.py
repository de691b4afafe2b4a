import datetime as dt
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from labquota import logs


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_logger_message_and_extras() -> None:
    stream = io.StringIO()
    logs.setup("info", "json", stream)

    logging.getLogger("labquota.webhook").info("refused %s", "pod", extra={"owner": "user:alice", "gpu": 3})

    (line,) = lines(stream)
    when = dt.datetime.fromisoformat(line.pop("time"))
    assert abs(dt.datetime.now(dt.UTC) - when) < dt.timedelta(seconds=5)
    assert stream.getvalue().startswith('{"time": "2')
    assert 'Z", "level": "INFO"' in stream.getvalue()
    assert line == {
        "level": "INFO",
        "logger": "labquota.webhook",
        "message": "refused pod",
        "owner": "user:alice",
        "gpu": 3,
    }


def test_a_traceback_stays_in_its_line() -> None:
    stream = io.StringIO()
    logs.setup(stream=stream)
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        logging.getLogger("x").exception("failed")

    (line,) = lines(stream)
    assert line["message"] == "failed"
    assert "ValueError: broken" in line["error"]


@pytest.mark.parametrize("name", ["kopf.objects", "aiohttp.server", "labquota"])
def test_the_libraries_speak_the_same_way_and_once(name: str) -> None:
    stream = io.StringIO()
    logging.getLogger("kopf").addHandler(logging.StreamHandler(stream))
    logs.setup(stream=stream)
    logging.getLogger(name).warning("hello")
    assert [line["logger"] for line in lines(stream)] == [name]


def test_lines_below_the_level_and_access_logs_are_left_out() -> None:
    stream = io.StringIO()
    logs.setup("INFO", stream=stream)
    logging.getLogger("labquota").debug("detail")
    logging.getLogger("aiohttp.access").info("GET /")
    assert stream.getvalue() == ""


def test_text_is_for_people() -> None:
    stream = io.StringIO()
    logs.setup("DEBUG", "text", stream)
    logging.getLogger("labquota").debug("hello")
    when, rest = stream.getvalue().split(" ", 1)
    assert when.endswith("Z")
    assert rest == "DEBUG   labquota: hello\n"


def test_warnings_are_logged() -> None:
    stream = io.StringIO()
    logs.setup(stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old ways", UserWarning, stacklevel=1)
    assert "UserWarning: old ways" in lines(stream)[0]["message"]


def test_an_unknown_level_or_format_is_refused() -> None:
    with pytest.raises(ValueError, match="log level 'loud': must be DEBUG, INFO, WARNING or ERROR"):
        logs.setup("loud")
    with pytest.raises(ValueError, match="log format 'xml': must be json or text"):
        logs.setup(form="xml")  # type: ignore[arg-type]  # what a setting may hold
