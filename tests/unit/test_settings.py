import dataclasses
import re

import pytest

from labquota import settings
from labquota.settings import SettingError, Settings


def test_a_setting_is_its_flag_else_its_variable_else_its_default() -> None:
    assert settings.load({}) == Settings()
    found = settings.load(
        {"LABQUOTA_PORT": "9443", "LABQUOTA_HOST": "::", "OTHER": "x"}, host="127.0.0.1", port=None
    )
    assert (found.port, found.host, found.create_seconds) == (9443, "127.0.0.1", 44.0)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("YES", True), ("no", False), ("", False)]
)
def test_a_switch_is_written_as_people_write_it(text: str, value: bool) -> None:  # noqa: FBT001  a column of the table
    assert settings.load({"LABQUOTA_REUSE_PORT": text}).reuse_port is value


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("PORT", "http", 'LABQUOTA_PORT="http" is not a whole number'),
        ("PORT", "1.5", 'LABQUOTA_PORT="1.5" is not a whole number'),
        ("PORT", "-1", "LABQUOTA_PORT=-1 is out of range"),
        ("PORT", "65536", "LABQUOTA_PORT=65536 is no port; the highest is 65535"),
        ("METRICS_PORT", "80800", "LABQUOTA_METRICS_PORT=80800 is no port; the highest is 65535"),
        ("LEASE_SECONDS", "2.5", "LABQUOTA_LEASE_SECONDS=2.5 is below 3"),
        ("CREATE_SECONDS", "soon", 'LABQUOTA_CREATE_SECONDS="soon" is not a number'),
        ("CREATE_SECONDS", "nan", "LABQUOTA_CREATE_SECONDS=nan is out of range"),
        ("CREATE_SECONDS", "inf", "LABQUOTA_CREATE_SECONDS=inf is out of range"),
        ("REUSE_PORT", "maybe", 'LABQUOTA_REUSE_PORT="maybe" is not true or false'),
        ("LOG_FORMAT", "xml", 'LABQUOTA_LOG_FORMAT="xml" is not json or text'),
        ("LOG_LEVEL", "LOUD", 'LABQUOTA_LOG_LEVEL="LOUD" is not DEBUG, INFO, WARNING or ERROR'),
        ("WRITES_PER_SECOND", "0", "LABQUOTA_WRITES_PER_SECOND must be above 0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_what_is_expected(
    name: str, text: str, line: str
) -> None:
    with pytest.raises(SettingError, match=f"^{re.escape(line)}$"):
        settings.load({f"LABQUOTA_{name}": text})


def test_the_highest_port_is_a_port() -> None:
    assert settings.load({"LABQUOTA_PORT": "65535", "LABQUOTA_METRICS_PORT": "0"}).port == 65_535


def test_every_setting_carries_the_sentence_that_an_administrator_needs() -> None:
    for field in dataclasses.fields(Settings):
        assert field.metadata["about"].endswith((".", "none.")), field.name
