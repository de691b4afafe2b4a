"""docs/install.md, run as it is written: every `sh` block in order, on a control plane without labquota."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from controlplane import ControlPlane, binaries
from controlplane.process import wait_until

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def test_an_administrator_can_install_and_remove_labquota_by_the_page(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    installing, _, removing = page.partition("## Taking it away")
    for name in ("crds", "config", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    with ControlPlane(nodes=2) as plane:
        shown = _run(plane, tmp_path, installing)
        assert '"labquota.dev/owner":"user:admin"' in shown
        assert 'deployment "labquota-webhook" successfully rolled out' in shown
        assert re.search(r'^student +\["User"\] +0 +3 ', shown, re.MULTILINE)
        [registration] = plane.client.get(REGISTRATIONS)["items"]
        assert registration["webhooks"][0]["clientConfig"]["caBundle"]
        assert not (tmp_path / "tls.key").exists(), "the key is left lying about"
        _run(plane, tmp_path, removing)
        assert plane.client.get(REGISTRATIONS)["items"] == []
        assert _traces(plane) == []
        # Pods can be made again by somebody whom nothing limits.
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "free"}}
        spec = {"containers": [{"name": "main", "image": "none"}]}
        plane.client.create("/api/v1/namespaces/default/pods", {**pod, "spec": spec})


def _run(plane: ControlPlane, folder: Path, page: str) -> str:
    """Run a page's blocks in one shell; what they printed."""
    path = f"{binaries.find().paths['kubectl'].parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "KUBECONFIG": str(plane.admin.kubeconfig)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(BLOCK.findall(page))],
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
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
            "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
            "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
        ):
            names = (each["metadata"]["name"] for each in plane.client.get(path)["items"])
            found += [name for name in names if "labquota" in name]
        return found

    wait_until(lambda: not left(), 30, every=0.2)
    return left()
