"""docs/agent.md and docs/agent.yaml say what the agent is."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import yaml

from labquota.agent import conditions
from labquota.agent.scanner import LABEL
from labquota.agent.series import DEVICE
from labquota.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "agent.md").read_text()
DAEMON_SET: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "agent.yaml").read_text())
POD = DAEMON_SET["spec"]["template"]["spec"]
SETTINGS = {field.name: field.default for field in dataclasses.fields(Settings)}


def test_the_page_names_every_condition_and_label() -> None:
    for condition in (conditions.NVML, conditions.POD_RESOURCES, conditions.STALE):
        assert f"| `{condition}` |" in PAGE
    assert f"`{LABEL}`" in PAGE
    row = next(line for line in PAGE.splitlines() if line.startswith("| `labquota_gpu_info`"))
    assert re.findall(r"`(\w+)`", row)[1:] == list(DEVICE)


def test_the_page_has_the_intervals_that_are_shipped() -> None:
    assert f"each {SETTINGS['scan_seconds']:.0f} s" in PAGE
    assert f"each {SETTINGS['poll_seconds']:.0f} s" in PAGE


def test_the_daemon_sets_pod_has_no_privilege_and_what_the_settings_say() -> None:
    (container,) = POD["containers"]
    security = container["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert (security["allowPrivilegeEscalation"], security.get("privileged", False)) == (False, False)
    own = [each["name"] for each in container["env"] if each["name"].startswith(PREFIX)]
    assert {each.removeprefix(PREFIX).lower() for each in own} <= set(SETTINGS)
    assert f"{PREFIX}NODE_NAME" in own
    (mount,) = container["volumeMounts"]
    assert str(SETTINGS["pod_resources"]).startswith(mount["mountPath"])
    assert POD["serviceAccountName"] == "labquota-agent"


def test_the_daemon_set_keeps_away_where_nvidias_tools_want_no_clients() -> None:
    terms = POD["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    asked = [
        expression
        for term in terms["nodeSelectorTerms"]
        for expression in term["matchExpressions"]
        if expression["key"] == LABEL
    ]
    assert [(each["operator"], each.get("values")) for each in asked] == [
        ("In", ["true"]),
        ("DoesNotExist", None),
    ]
