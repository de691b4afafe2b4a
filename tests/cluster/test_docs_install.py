"""docs/install.md and docs/owners.md, run as they are written: every `sh` block in order, where no labquota is yet.

Blocks for API servers with MutatingAdmissionPolicy on those, and blocks for others on others.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from controlplane import ControlPlane, binaries
from controlplane.process import wait_until

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh(?: (with|without)-policies)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
GROUP = "/apis/admissionregistration.k8s.io/v1"


@pytest.mark.parametrize("policies", [True, False], ids=["as-shipped", "switched-off"])
def test_an_administrator_can_install_and_remove_labquota_by_the_page(
    tmp_path: Path, *, policies: bool
) -> None:
    policies = policies and binaries.find().minor >= 36  # before that, they are off as shipped
    installing, _, removing = (ROOT / "docs" / "install.md").read_text().partition("## Taking it away")
    owners = (ROOT / "docs" / "owners.md").read_text()
    for name in ("crds", "config", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    with ControlPlane(nodes=2, policies=policies) as plane:
        shown = _run(plane, tmp_path, installing, policies=policies)
        assert ('"labquota.dev/owner":"user:admin"' in shown) == policies
        assert ("mutatingadmissionpolicies" in shown) == policies
        assert 'deployment "labquota-webhook" successfully rolled out' in shown
        assert re.search(r'^student +\["User"\] +0 +3 ', shown, re.MULTILINE)
        asked = [webhook for each in _registrations(plane) for webhook in each["webhooks"]]
        assert len(asked) == 6
        assert all(each["clientConfig"]["caBundle"] for each in asked)
        assert not (tmp_path / "tls.key").exists(), "the key is left lying about"
        _settings(plane, tmp_path, owners, policies=policies)
        _run(plane, tmp_path, removing, policies=policies)
        assert _registrations(plane) == []
        assert _traces(plane) == []
        # Pods can be made again by somebody whom nothing limits.
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "free"}}
        spec = {"containers": [{"name": "main", "image": "none"}]}
        plane.client.create("/api/v1/namespaces/default/pods", {**pod, "spec": spec})


def _settings(plane: ControlPlane, folder: Path, page: str, *, policies: bool) -> None:
    """The page on owners: settings that are applied, and what exists taken over."""
    asked = {"metadata": {"name": "asked", "annotations": {"openshift.io/requester": "rita"}}}
    plane.client.create("/api/v1/namespaces", asked)
    if not policies:
        page = page.replace("labquota policies -f", "labquota policies --without-policies -f")
    shown = _run(plane, folder, page, policies=policies)
    assert "deployment.apps/labquota-webhook restarted" in shown
    assert "namespace/asked annotated" in shown
    for name, owner in (("asked", "user:rita"), ("default", "user:alice")):
        found = plane.client.get(f"/api/v1/namespaces/{name}")["metadata"]["annotations"]
        assert found["labquota.dev/owner"] == owner
    settings = plane.client.get("/api/v1/namespaces/labquota-system/configmaps/labquota-owners")["data"]
    assert "kuberay-operator" in settings["owners.yaml"]
    (stamping,) = [each for each in _registrations(plane) if each["kind"].startswith("Mutating")]
    assert stamping["webhooks"][0]["clientConfig"]["caBundle"], "applied again, it is still known"
    if policies:
        found = plane.client.get(f"{GROUP}/validatingadmissionpolicies")["items"]
        assert any("kuberay-operator" in str(each["spec"]) for each in found)


def _registrations(plane: ControlPlane) -> list[dict[str, Any]]:
    """What is asked by the API server, each with its kind."""
    found = []
    for kind in ("Mutating", "Validating"):
        items = plane.client.get(f"{GROUP}/{kind.lower()}webhookconfigurations")["items"]
        found += [{**each, "kind": f"{kind}WebhookConfiguration"} for each in items]
    return found


def _run(plane: ControlPlane, folder: Path, page: str, *, policies: bool) -> str:
    """Run a page's blocks in one shell, those for this API server; what they printed."""
    unfit = "without" if policies else "with"
    blocks = [text for which, text in BLOCK.findall(page) if which != unfit]
    tools = (binaries.find().paths["kubectl"].parent, Path(sys.executable).parent)
    path = ":".join([*map(str, tools), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "KUBECONFIG": str(plane.admin.kubeconfig)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=folder,
        env={**env, "KUBECACHEDIR": str(plane.folder / "kubectl-cache")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _traces(plane: ControlPlane) -> list[str]:
    """Objects of labquota that are still there, its namespace after some time to end."""

    def left() -> list[str]:
        found = [each["name"] for each in plane.client.get("/apis")["groups"] if "labquota" in each["name"]]
        for path in (
            "/api/v1/namespaces",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            f"{GROUP}/validatingadmissionpolicies",
            f"{GROUP}/mutatingadmissionpolicies",
            "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
        ):
            status, answer = plane.client.call("GET", path)  # 404 where there are no such policies
            names = (each["metadata"]["name"] for each in answer["items"]) if status == 200 else ()
            found += [name for name in names if "labquota" in name]
        return found

    wait_until(lambda: not left(), 30, every=0.2)
    return left()
