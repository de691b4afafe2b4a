"""Waiting until an installation is in force on every API server: it acts a moment after it is applied.

A pod is created as a dry run, again and again, until the API server says in its metrics that it called the webhooks,
and the pod comes back with an owner's stamp.
"""

import re

from controlplane import Client, ControlPlane, ControlPlaneError
from controlplane.process import wait_until
from harness import manifests

__all__ = ["calls", "failed_open", "wait"]

STAMP = "labquota.dev/owner"


def wait(plane: ControlPlane, webhooks: list[str], seconds: float = 30) -> None:
    """Wait until every API server stamps pods and calls the webhooks with these names.

    Raises:
        ControlPlaneError: one of them does not in time.
    """
    prober = plane.user("labquota-probe", role="edit")
    for number in range(len(plane.servers)):
        admin, client = plane.admin.client(number), prober.client(number)
        before = {name: calls(admin, name) for name in webhooks}
        missing = ["nothing was tried"]

        def in_force() -> bool:
            missing[:] = _missing(admin, client, before)  # noqa: B023 - called within this turn of the loop
            return not missing  # noqa: B023 - likewise

        if not wait_until(in_force, seconds, every=0.1):
            raise ControlPlaneError(f"API server {number} after {seconds:.0f} s: {'; '.join(missing)}")


def calls(admin: Client, webhook: str) -> int:
    """How many calls of a webhook an API server counts."""
    return _count(admin, "apiserver_admission_webhook_request_total", webhook)


def failed_open(admin: Client, webhook: str) -> int:
    """How many requests an API server let pass because a webhook gave no answer."""
    return _count(admin, "apiserver_admission_webhook_fail_open_count", webhook)


def _missing(admin: Client, client: Client, before: dict[str, int]) -> list[str]:
    pod = manifests.pod("labquota-probe-", generate_name=True)
    status, answer = client.call("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod)
    problems = []
    if status < 400 and STAMP not in (answer["metadata"].get("annotations") or {}):
        problems.append(f"a pod is not stamped with {STAMP}")
    if status >= 500:
        problems.append(f"creating a pod fails: {status} {answer}")
    return problems + [f"{name} is not called" for name, old in before.items() if calls(admin, name) == old]


def _count(admin: Client, metric: str, webhook: str) -> int:
    text: str = admin.get("/metrics")
    lines = re.findall(rf'^{metric}{{[^}}]*name="{re.escape(webhook)}"[^}}]*}} (\S+)$', text, re.MULTILINE)
    return int(sum(float(each) for each in lines))
