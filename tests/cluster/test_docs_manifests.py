"""The manifests in the documentation are accepted by a real API server with labquota's definitions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane import ControlPlane
from harness import Installation, World

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _manifests() -> Iterator[Any]:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for block in BLOCK.findall(page.read_text()):
            for each in yaml.safe_load_all(block) if "apiVersion:" in block else ():  # else a fragment
                yield pytest.param(each, id=f"{page.name}-{each['kind']}-{each['metadata']['name']}")


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize("manifest", list(_manifests()))
def test_a_documented_manifest_is_accepted(manifest: dict[str, Any], control_plane: ControlPlane) -> None:
    if "namespace" in manifest["metadata"]:
        where = manifest["metadata"]["namespace"]
        control_plane.client.call("POST", "/api/v1/namespaces", {"metadata": {"name": where}})
    path = control_plane.client.path_of(manifest)
    query = "?dryRun=All&fieldManager=docs&fieldValidation=Strict"
    status, answer = control_plane.client.call(
        "PATCH", path + query, manifest, "application/apply-patch+yaml"
    )
    assert status in (200, 201), answer["message"]


def test_kubectl_knows_the_short_names_that_the_page_says(
    installation: Installation, control_plane: ControlPlane, world: World
) -> None:
    del installation, world
    page = (ROOT / "docs" / "concepts.md").read_text()
    for kind, short in re.findall(r"^## (\w+) \(`(\w+)`\)", page, re.MULTILINE):
        shown = control_plane.kubectl(control_plane.admin, "explain", short)
        assert f"KIND:       {kind}\n" in shown.stdout, shown.stdout + shown.stderr
